"""Dissociation energies of bonds, and of molecules in contact, from energies of fragments.

==============  ============================================================================================
`graph`         a molecule's bonds: equivalent ones, rings, the two fragments of a bond
`smiles`        structures from SMILES
`potential`     a model as an ASE calculator, and the energies of a bond's two edges
`relaxing`      minima and harmonic enthalpies of molecules, with ASE
`breaking`      every bond of a structure: D and A, and the energies of its fragments
`contacts`      E_AB - E_A - E_B of two molecules in contact
`work`          many structures: processes side by side, a file that grows and is gone on with
`reference`     files of reference energies, and whose they are
`agreement`     correlations and errors with intervals, beside the mean of the type
`tables`        what is printed and written
==============  ============================================================================================
"""
