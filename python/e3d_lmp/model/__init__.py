"""Models: see the modules of this room."""
