"""LAMMPS driven from Python.

==============  ============================================================================================
`simulate`      a LAMMPS input whose edges arrive while it runs
`insitu`        the fixes of the plugin that gather while it runs
==============  ============================================================================================
"""
