"""Dumps of LAMMPS.

============  ==============================================================================================
`reader`      frames of edges, pairs and atoms
`text`        the text of one file
`streams`     its bytes, unpacked where they are packed
`rows`        the rows of a frame, by the compiled kernel
============  ==============================================================================================
"""
