"""Edge-wise emergent energy decomposition (E3D) of strictly local potentials in LAMMPS.

This file imports nothing on purpose: LAMMPS asks the package for its plugin folder at every start, through
``e3d_lmp.plugin``, and an import that fails here would end every ``lmp`` of this environment.
"""

__version__ = "0.2.0"
