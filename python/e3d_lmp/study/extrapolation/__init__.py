"""Extrapolation in a family of molecules of growing size: one model for each member, judged on all.

After Hooven, Lin, Carroll, Cersonsky, J. Chem. Theory Comput. (2026), doi 10.1021/acs.jctc.6c00365 (arXiv
2509.25022), with what edge energies add to it.

================  ============================================================================================
`plan`            the rows of a study, from its file
`family`          members, their frames, what is trained on and what is held out
`row`             one row: train, ask for all members
`results`         numbers of all rows as matrices
`surroundings`    what SOAP vectors say of the family, computed once
`table`           the table and the figures
`frames`          labelled frames of liquids
`molecules`       the molecules of a frame, whole
`errors`          errors of each model on each member, shifts that composition explains
`between`         how much of the energy between molecules their edges carry
`soap`            SOAP vectors of all surroundings, or of other molecules only
`ridge`           energies between molecules by linear regression on them
`breaking`        a bond that breaks: which one, its curve, its energy
`environments`    do surroundings tell the members of the family apart?
================  ============================================================================================
"""
