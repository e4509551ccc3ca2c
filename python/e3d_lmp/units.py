"""Physical constants, and units of energy: Python is in eV, whatever the ``units`` of the LAMMPS run.

Conversions that a running LAMMPS makes too have LAMMPS's own digits, so that both agree to the last one.
"""

from __future__ import annotations

from e3d_lmp.errors import E3DError

KCAL_MOL_PER_EV = 23.060549
"""kcal/mol in one eV: the factor METAL2REAL of LAMMPS (``utils::get_conversion_factor``), with which the
plugin converts."""

ELEMENTARY_CHARGE = 1.602176634e-19
"""C, and so J in one eV; exact since 2019."""

AVOGADRO = 6.02214076e23
"""1/mol; exact since 2019."""

BOLTZMANN = 1.380649e-23
"""J/K; exact since 2019."""

ATOMIC_MASS = 1.66053906660e-27
"""kg in one g/mol (CODATA 2018)."""

KJ_PER_MOL = 1000.0 / (ELEMENTARY_CHARGE * AVOGADRO)
"""1 kJ/mol in eV."""

LAMMPS_BOLTZMANN = {"metal": 8.617343e-5, "real": 0.0019872067}
"""eV/K and kcal/mol/K: with these LAMMPS counts temperatures (``Update::set_units``)."""

LAMMPS_EV_PER_AMU = 1.0364269e-4
"""eV in one (g/mol) (angstrom/ps)^2: LAMMPS's ``mvv2e`` in units metal."""

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
