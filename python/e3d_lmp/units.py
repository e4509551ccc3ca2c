"""Units of energy: everything in Python is in eV, whatever the ``units`` of the LAMMPS run."""

from __future__ import annotations

from e3d_lmp.errors import E3DError

KCAL_MOL_PER_EV = 23.060549
"""kcal/mol in one eV: the factor METAL2REAL of LAMMPS (``utils::get_conversion_factor``), with which the
plugin converts."""

_EV = {"metal": 1.0, "real": 1.0 / KCAL_MOL_PER_EV}
LAMMPS_UNITS = tuple(_EV)
"""The ``units`` of LAMMPS that pair style e3d runs in."""


def ev_per_unit(units: str, where: str) -> float:
    """The unit of energy of LAMMPS's ``units``, in eV.

    Raises
    ------
    E3DError
        If they are no units of pair style e3d; `where` is the file or input that says so.
    """
    if units not in _EV:
        raise E3DError(f"{where}: units {units}; expected units {' or '.join(_EV)}, those of pair_style e3d")
    return _EV[units]
