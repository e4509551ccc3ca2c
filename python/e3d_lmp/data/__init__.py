"""Training data: public layouts, isolated atoms, alignment of levels, sets for nequip (`e3d data`).

The tables in this folder (radii, bond energies, isolated atoms) are read by other parts of the package too.
"""
