"""Directed edges and pairs: where their energies come from, and how they are kept.

==================  ========================================================================================
`frames`            the edges, pairs and atoms of one time step
`pairs`             edges to pairs with D and A, pair labels
`cutoffs`           what a bond is
`molecules`         atoms that bonds connect
`kernel`            the compiled part of reading and pairing
`dumps`             readers of LAMMPS dumps
`records`           records of fix e3d/record, binary
`store`             edge stores, HDF5
`sources`           any of them, by one interface
`convert`           dumps and records to stores
`structures`        readers of structures to evaluate
`ani`               the ANI layout of HDF5 files
`evaluate`          structures and a model to edges
`field_units`       units of fields of public data
`isolated_atoms`    energies of isolated atoms
==================  ========================================================================================
"""
