"""Records of ``fix e3d/record``: edges or bonds of a run in binary.

============  ==============================================================================================
`reader`      frames of a record
`shards`      its files, and which frames are whole
============  ==============================================================================================
"""
