"""Studies of many models: what is trained, how each is judged, and one table of all.

=================  ===========================================================================================
`plan`             the rows of a scaling study, from its file
`row`              one row: train, export, evaluate, analyse
`held_out`         the held-out set as structures for ``e3d evaluate``
`evaluation`       how a model of a study is judged
`table`            the table, its figures and pages
`extrapolation`    models of a family of molecules, each asked for all of them
=================  ===========================================================================================
"""
