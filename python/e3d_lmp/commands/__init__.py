"""The sub-commands of ``e3d``: one file per verb, with ``add_arguments(parser)`` and ``run(args)``."""
