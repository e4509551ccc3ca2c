"""Dumps of LAMMPS.

============  ==============================================================================================
`reader`      frames of edges, pairs and atoms
`text`        the text of one file
`rows`        the rows of a frame, by the compiled kernel
`shares`      which bytes each MPI rank reads
============  ==============================================================================================
"""
