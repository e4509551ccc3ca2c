"""Bonds with their D and A in OVITO: a file reader, a modifier, live scenes and pictures.

==================  ====================================================================================
`bond_source`       the pairs of any frame of an edge store or a local dump
`contents`          atoms and bonds as OVITO's data objects
`reader`            `E3DReader`, which opens edge stores by itself
`modifier`          `E3DBonds`, which adds, filters and colours bonds in any pipeline
`live`              `LiveScene`, the bonds of a LAMMPS that runs in this process
`camera`            a view that holds all atoms
`pictures`          pictures, film strips and movies without a display
==================  ====================================================================================

OVITO (the extra ``ovito``) is imported by those modules that need it, never by this one.
"""
