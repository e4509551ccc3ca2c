"""Bonds.

==============  ============================================================================================
`orders`        bond orders of molecules
`types`         bond types of a stream of frames
`energies`      D by bond type, Delta_BDE and sigma_BDE
`references`    reference bond energies
`files`         files of bond energies, ``e3d-bond-types/1``
==============  ============================================================================================
"""
