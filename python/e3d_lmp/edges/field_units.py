"""Units of HDF5 data sets, from their `units` attribute, to eV and angstrom."""

from __future__ import annotations

from collections.abc import Mapping

import h5py
import numpy as np
from ase.units import Bohr, Hartree

from e3d_lmp.edges.hdf5 import whole
from e3d_lmp.errors import E3DError

LENGTH_UNITS = {"bohr": Bohr, "angstrom": 1.0}
ENERGY_UNITS = {"hartree": Hartree, "ev": 1.0}
GRADIENT_UNITS = {"hartree/bohr": Hartree / Bohr, "hartree/angstrom": Hartree, "ev/angstrom": 1.0}


def unit_factor(dataset: h5py.Dataset, factors: Mapping[str, float], default: str | None = None) -> float:
    """Conversion of a data set to eV and angstrom.

    Parameters
    ----------
    dataset : with the attribute `units`
    factors : by unit, in lower case
    default : where the attribute is absent; None: that is an error

    Raises
    ------
    E3DError
        The unit is absent or unknown.
    """
    units = dataset.attrs.get("units", default)
    where = f"'{dataset.name}' in '{dataset.file.filename}'"
    if units is None:
        raise E3DError(
            f"expected the attribute 'units' ({' or '.join(factors)}) of {where}, found none; numbers "
            "without a unit are not guessed: set the attribute, e.g. with h5py"
        )
    units = units.decode() if isinstance(units, bytes) else str(units)
    key = units.strip().lower().replace(" ", "")
    if key not in factors:
        raise E3DError(
            f"expected units {' or '.join(factors)} for {where}, got '{units}'; convert the file first"
        )
    return factors[key]


def in_units(dataset: h5py.Dataset, factors: Mapping[str, float], default: str | None = None) -> np.ndarray:
    """The whole data set as float64 in eV and angstrom; arguments and errors are those of `unit_factor`."""
    return whole(dataset).astype(np.float64) * unit_factor(dataset, factors, default)
