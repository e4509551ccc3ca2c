"""Training of Allegro models under the E3D protocol (shift 0, scale 1, cohesive-energy targets).

===================  =========================================================================================
`run`                one run in a folder, from its configuration to a trained checkpoint; goes on after a kill
`run_config`         the configuration of a run: nequip's, what the data say, and options
`launch`             ``nequip-train`` with our layers; what `run` starts
`model`              Allegro under the protocol
`layers`             Allegro's layers for training on a CPU: the engine's algebra with two derivatives
`budget`             schedules and checkpoints of a budget of steps or minutes
`loader`             batches in an order that a seed decides
`start`              the weights with which a training begins
`progress`           how far a run is, for other processes
`missing_forces`     the loss where some frames have no forces
`partial_labels`     means over what is labelled
`heat_flux`          terms of a loss: heat current, asymmetry of bonds
`locality`           a term of a loss: little energy beyond bonding distance
`finish`             after training: package, export gate, held-out errors, card
`ship`               a package without paths of the machine that trained it
`paths`              files of a run
`held_out_errors`    errors on a held-out set, energies of its bonds
`card`               the model card, from a template
`data`               training sets from public data
===================  =========================================================================================
"""
