"""The command line, one file per verb: ``e3d VERB`` is ``commands/VERB.py``.

Each file has ``add_arguments(parser)`` and ``run(args) -> int``; `arguments` holds what verbs share. No other
room knows argparse.
"""
