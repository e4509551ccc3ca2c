"""Bonds.

==============  ============================================================================================
`orders`        bond orders of molecules
`types`         bond types of a stream of frames
`energies`      D by bond type: counts, means, histograms
`references`    reference bond energies
`delta_bde`     how far the first are from the second: Delta_BDE, sigma_BDE
`files`         files of bond energies, ``e3d-bond-types/1``
==============  ============================================================================================
"""
