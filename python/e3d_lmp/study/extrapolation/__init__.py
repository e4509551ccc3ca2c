"""Extrapolation in a family of molecules of growing size: one model for each member, judged on all.

After Hooven, Lin, Carroll, Cersonsky, J. Chem. Theory Comput. (2026), doi 10.1021/acs.jctc.6c00365 (arXiv
2509.25022), with what edge energies add to it.
"""
