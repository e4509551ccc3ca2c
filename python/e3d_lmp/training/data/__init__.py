"""Training data: public layouts, alignment of levels, screening, sets for nequip.

================  ============================================================================================
`prepare`         training, validation and test sets from a recipe (``e3d data prepare``)
`recipe`          which frames of which files, and who learns from them
`records`         what every reader gives and is asked for
`spice`           reader of SPICE 1 and 2
`transition1x`    reader of Transition1x
`ani`             reader of the ANI layout
`matpes`          reader of MatPES
`extxyz`          reader of extended XYZ
`hdf5_file`       what the readers of HDF5 share
`smiles`          total charge of a molecule
`alignment`       cohesive energies of one level of theory on the scale of another
`screening`       frames that are not worth learning from
`duplicates`      frames that occur twice
`split`           training, validation and test by molecule
`placement`       molecules put into contact
`clusters`        pairs in contact, cut from liquids
`aimnet2`         labels by AIMNet2
`contacts`        pairs of molecules in contact
`database`        LMDB files for nequip
================  ============================================================================================
"""
