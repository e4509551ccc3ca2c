"""Numbers from edges and pairs: maps, entropies, bond energies, reactions, errors, conductivities.

====================  ======================================================================================
`analyse`             a whole source: frames in, tables and errors out
`edge_analysis`       the same as a reducer, for edges from anywhere
`reducers`            what it is made of
`label_map`           histogram and moments of one pair label
`maps`                D-A maps, with H_2D, and their files
`map_checks`          whether sums and bins of a map can be those of one sample
`map_analysis`        tables from map files
`entropy`             estimators of entropies
`sampling`            intervals, corrections and changes of H_2D
`comparison`          how much two maps differ
`novelty`             bonds in bins that a reference map never visited
`pair_table`          tables of pair labels
`bonds`               bond orders, bond types, their energies, Delta_BDE, reference energies
`dissociation`        fragments of bonds and molecules in contact: dissociation energies from a model
`reactions`           barriers, and entropies by state
`reaction_paths`      bonds along a reaction
`events`              bonds that form and break in a run
`species`             molecules of a run by formula
`growing_file`        text files that a run appends to
`accuracy`            errors of energies and forces
`composition_shift`   errors of energies after a fitted shift per element
`analysis_tables`     all tables of an analysis, as text and as files
`folders`             folders of results, and series of them
`heat`                thermal conductivity
====================  ======================================================================================
"""
