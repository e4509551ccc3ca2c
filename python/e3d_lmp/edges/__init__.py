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
`hdf5`              HDF5 files of others, also where locks fail
`ani`               the ANI layout of HDF5 files
`neighbours`        edges of structures, without their energies
`evaluator`         a model that is asked for the energies of edges
`evaluate`          structures and a model to edges
`calculator`        a model as a calculator of ASE
`field_units`       units of fields of public data
`isolated_atoms`    energies of isolated atoms
==================  ========================================================================================
"""
