"""Thermal conductivity from runs with ``compute e3d/heat``, ``fix e3d/hnemd`` and ``fix e3d/shc``.

================  ==========================================================================================
`conversion`      units of LAMMPS, and conductivities in W/m/K
`current`         heat currents read from files of ``fix ave/time``
`green_kubo`      conductivity from the fluctuations of the current in equilibrium
`power`           power spectra of the current in equilibrium, of its parts, elements and pair labels
`hnemd`           conductivity from its response to a driving force
`spectrum`        the spectrum of the conductivity, from the correlations of ``fix e3d/shc``
================  ==========================================================================================
"""
