"""Models: the contract of a model file, how one is made of a nequip model, and the gate it has to pass.

==================  ========================================================================================
`contract`          what a model file takes, returns and says about itself
`slots`             the layout of one call
`decomposition`     a nequip model as a model of directed edges
`contraction`       Allegro's tensor product, contracted with its centre first
`layers`            Allegro's layers by our own operators
`operators`         these operators
`gate`              the comparison that a model has to pass before it is written
`export`            all of it, from a checkpoint to a file
`file`              writing and opening of files that torch runs, one function per engine
`weights`           files of the native engine: the weights and the architecture of a nequip model
`engine`            the native engine, which runs them without torch
`evaluators`        either kind of file, by one interface
`torch_evaluator`   files that torch runs, by the engine's interface
`provenance`        what a file says about its own training
==================  ========================================================================================
"""
