"""Edge stores, ``e3d-edges/1`` in HDF5, defined in docs/edge_store.md.

==============  ============================================================================================
`reader`        frames of a store
`writer`        writes one, frame by frame
`column`        a column of it that grows
`checks`        what a file must hold to be an edge store
`superblock`    mends the mark of a file whose writer was killed
==============  ============================================================================================
"""
