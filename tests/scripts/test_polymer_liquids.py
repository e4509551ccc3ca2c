"""scripts/polymer: force field and topology of n-alkanes, liquids, frames that go on after a kill."""

from __future__ import annotations

import functools
import gzip
import itertools
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from rdkit import Chem

from lammps_runs import ROOT

sys.path.insert(0, str(ROOT / "scripts" / "polymer"))

import collect
import labels
import make_liquids
import sampling
from alkanes import Liquid, data_file, force_field, lattice, liquids, n_alkane

KCAL_PER_E2_A = 332.06371
"""Coulomb's constant in kcal/mol, elementary charges and angstrom (LAMMPS `units real`)."""
BUTANE = {
    # Jorgensen, Maxwell, Tirado-Rives, JACS 118, 11225 (1996): V1, V2, V3 in kcal/mol
    "CCCC": (1.740, -0.157, 0.279),
    "CCCH": (0.0, 0.0, 0.366),
    "HCCH": (0.0, 0.0, 0.318),
}


def one(carbons: int, force_field: str = "OPLS-AA") -> Liquid:
    """One molecule in a box."""
    return Liquid(carbons, 1, 300.0, 1.0, force_field, 1.0)


def graph(carbons: int) -> Chem.Mol:
    """The molecule as RDKit builds it."""
    return Chem.AddHs(Chem.MolFromSmiles("C" * carbons))


def dihedral(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> float:
    """Dihedral angle, pi where trans."""
    axis = (c - b) / np.linalg.norm(c - b)
    first, second = (v - v @ axis * axis for v in (a - b, d - c))
    return float(np.arctan2(np.cross(axis, first) @ second, first @ second))


def opls_energy(carbons: int, positions: np.ndarray) -> float:
    """OPLS-AA energy of one molecule, kcal/mol, from RDKit's graph and numbers of the paper typed here.

    Atoms are in our order, which has every carbon followed by its hydrogens.
    """
    symbols = n_alkane(carbons).symbols
    # our order -> RDKit's: carbons first, then hydrogens carbon by carbon
    theirs = [k for k, s in enumerate(symbols) if s == "C"] + [k for k, s in enumerate(symbols) if s == "H"]
    molecule = graph(carbons)
    assert [symbols[k] for k in theirs] == [atom.GetSymbol() for atom in molecule.GetAtoms()]
    x = positions[theirs]
    kind = "".join(atom.GetSymbol() for atom in molecule.GetAtoms())
    hydrogens = [atom.GetTotalNumHs(includeNeighbors=True) for atom in molecule.GetAtoms()]
    charge = [
        {2: -0.12, 3: -0.18, 4: -0.24}[h] if s == "C" else 0.06 for s, h in zip(kind, hydrogens, strict=True)
    ]
    steps = Chem.GetDistanceMatrix(molecule).astype(int)
    energy = 0.0
    for i, j in itertools.combinations(range(len(kind)), 2):
        r = np.linalg.norm(x[i] - x[j])
        if steps[i, j] == 1:
            constant, rest = (268.0, 1.529) if kind[i] == kind[j] == "C" else (340.0, 1.09)
            energy += constant * (r - rest) ** 2
        elif steps[i, j] > 2:
            eps = np.sqrt({"C": 0.066, "H": 0.03}[kind[i]] * {"C": 0.066, "H": 0.03}[kind[j]])
            sigma = np.sqrt({"C": 3.5, "H": 2.5}[kind[i]] * {"C": 3.5, "H": 2.5}[kind[j]])
            pair = 4 * eps * ((sigma / r) ** 12 - (sigma / r) ** 6)
            pair += KCAL_PER_E2_A * charge[i] * charge[j] / r
            energy += pair * (0.5 if steps[i, j] == 3 else 1.0)
    near = [np.flatnonzero(row == 1) for row in steps]
    for j, around in enumerate(near):
        for i, k in itertools.combinations(around, 2):
            u, v = x[i] - x[j], x[k] - x[j]
            angle = np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
            word = "".join(sorted(kind[i] + kind[k]))
            constant, rest = {"CC": (58.35, 112.7), "CH": (37.5, 110.7), "HH": (33.0, 107.8)}[word]
            energy += constant * (angle - np.radians(rest)) ** 2
    for bond in molecule.GetBonds():
        j, k = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        for i in set(near[j]) - {k}:
            for m in set(near[k]) - {j}:
                phi = dihedral(x[i], x[j], x[k], x[m])
                word = kind[i] + kind[j] + kind[k] + kind[m]
                v1, v2, v3 = BUTANE[min(word, word[::-1])]
                energy += 0.5 * (
                    v1 * (1 + np.cos(phi)) + v2 * (1 - np.cos(2 * phi)) + v3 * (1 + np.cos(3 * phi))
                )
    return float(energy)


def lammps_energy(folder: Path, liquid: Liquid, positions: np.ndarray) -> dict[str, float]:
    """What LAMMPS says of one molecule that is alone: kcal/mol."""
    (folder / "start.data").write_text(data_file(liquid, positions[None], 100.0))
    script = sampling.FORCES.format(timestep=1.0)
    script = script.replace("lj/cut/coul/long 9.0", "lj/cut/coul/cut 40.0").replace(
        "kspace_style pppm 1.0e-4", ""
    )
    script = script.replace("run_style respa 2 4 bond 1 pair 2 kspace 2", "")
    script += (
        "variable total equal pe\nvariable torsion equal edihed\nthermo_style custom step pe edihed\nrun 0\n"
        'print """{"total": $(v_total:%.15g), "torsion": $(v_torsion:%.15g)}""" file result.json\n'
    )
    (folder / "in.lammps").write_text(script)
    command = [str(Path(sys.executable).parent / "lmp"), "-in", "in.lammps", "-log", "none"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=100)
    return json.loads((folder / "result.json").read_text())


def turned_butane(degrees: float) -> np.ndarray:
    """Butane with its central bond turned so far from trans."""
    molecule = n_alkane(4)
    x = molecule.positions.copy()
    carbons = [k for k, s in enumerate(molecule.symbols) if s == "C"]
    axis = x[carbons[2]] - x[carbons[1]]
    axis /= np.linalg.norm(axis)
    angle, origin = np.radians(degrees), x[carbons[2]]
    cross = np.cross(np.eye(3), axis)
    turn = np.eye(3) * np.cos(angle) + np.sin(angle) * cross + (1 - np.cos(angle)) * np.outer(axis, axis)
    moved = slice(carbons[2] + 1, None)
    x[moved] = (x[moved] - origin) @ turn.T + origin
    return x


@pytest.mark.parametrize("degrees", [0.0, 60.0, 113.0, 180.0])
def test_energies_of_butane_are_those_of_the_published_numbers(tmp_path: Path, degrees: float) -> None:
    positions = turned_butane(degrees)
    found = lammps_energy(tmp_path, one(4), positions)
    want = opls_energy(4, positions)
    assert found["total"] == pytest.approx(want, abs=1e-4), f"turned by {degrees} degrees"
    # the torsion of the backbone alone, by hand: trans 0, cis V1 + V3
    phi = np.pi + np.radians(degrees)
    v1, v2, v3 = BUTANE["CCCC"]
    backbone = 0.5 * (v1 * (1 + np.cos(phi)) + v2 * (1 - np.cos(2 * phi)) + v3 * (1 + np.cos(3 * phi)))
    # around the central bond there are four H-C-C-C and four H-C-C-H too; methyl groups stay staggered
    around = 0.5 * (1 + np.cos(3 * phi)) * (4 * 0.366 + 4 * 0.318)
    assert found["torsion"] == pytest.approx(backbone + around, abs=0.02)


def test_energy_of_octane_with_all_its_terms(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    positions = n_alkane(8).positions + rng.normal(0.0, 0.08, n_alkane(8).positions.shape)
    found = lammps_energy(tmp_path, one(8), positions)
    assert found["total"] == pytest.approx(opls_energy(8, positions), rel=1e-6)


def test_l_opls_differs_where_the_paper_says() -> None:
    """Siu, Pluhackova, Boeckmann, JCTC 8, 1459 (2012): charges, epsilon of CH2 hydrogens, the backbone."""
    old, new = force_field("OPLS-AA"), force_field("L-OPLS")
    assert new["charges"] == {"CH3": -0.222, "CH2": -0.148, "H": 0.074}
    assert new["lennard_jones"]["H of CH2"][0] * 4.184 == pytest.approx(0.11)
    for name in ("bonds", "angles"):
        assert new[name] == old[name]
    for table in (old, new):
        for group, charge in table["charges"].items():
            if group != "H":
                assert charge + int(group[2]) * table["charges"]["H"] == pytest.approx(0.0)


@pytest.mark.parametrize("carbons", [1, 2, 3, 5, 8])
def test_topology(carbons: int) -> None:
    molecule, reference = n_alkane(carbons), graph(carbons)
    assert len(molecule.symbols) == 3 * carbons + 2 == reference.GetNumAtoms()
    assert len(molecule.bonds) == reference.GetNumBonds()
    steps = Chem.GetDistanceMatrix(reference)
    assert len(molecule.angles) == np.count_nonzero(np.triu(steps == 2)) == 6 * carbons
    assert len(molecule.dihedrals) == np.count_nonzero(np.triu(steps == 3)) == 9 * (carbons - 1)
    lengths = [np.linalg.norm(molecule.positions[i] - molecule.positions[j]) for i, j in molecule.bonds]
    kinds = ["".join(sorted(molecule.symbols[k] for k in bond)) for bond in molecule.bonds]
    np.testing.assert_allclose(lengths, [{"CC": 1.529, "CH": 1.09}[kind] for kind in kinds], atol=1e-9)
    distance = np.linalg.norm(molecule.positions[:, None] - molecule.positions[None], axis=-1)
    others = distance[np.triu_indices(len(distance), 1)]
    assert np.sort(others)[len(molecule.bonds)] > 1.7, "atoms that are not bonded are too close"


def test_boxes_have_the_stated_density_and_size() -> None:
    for carbons, liquid in liquids().items():
        grams = liquid.molecules * (12.011 * carbons + 1.008 * (2 * carbons + 2)) / 6.02214076e23
        assert grams / (liquid.box * 1e-8) ** 3 == pytest.approx(liquid.density, rel=1e-6)
        if liquid.temperature == 300 and carbons <= 8:
            assert 100 <= liquid.molecules * (3 * carbons + 2) <= 150


def test_molecules_of_the_lattice_do_not_touch() -> None:
    liquid = liquids()[5]
    positions, box = lattice(liquid, np.random.default_rng(1))
    for a, b in itertools.combinations(range(liquid.molecules), 2):
        delta = positions[a][:, None] - positions[b][None]
        delta -= box * np.round(delta / box)
        assert np.linalg.norm(delta, axis=-1).min() > 2.0


def test_a_short_run_reaches_density_and_keeps_molecules(tmp_path: Path) -> None:
    """Real LAMMPS: the box gets its size, molecules stay whole, and the next frame follows."""
    table = liquids()[2]
    liquid = Liquid(2, table.molecules, 300.0, table.density, "OPLS-AA", 0.2, prepare=(2.0, 0.2, 5.0))
    state = sampling.prepare(liquid, 5)
    make_liquids.check_whole(liquid, state.positions)
    after = sampling.advance(liquid, state, 0.2, 6)
    make_liquids.check_whole(liquid, after.positions)
    moved = np.linalg.norm(
        after.positions.mean(axis=1) - sampling.into_box(state.positions, liquid.box).mean(axis=1), axis=1
    )
    assert 0.0 < moved.max() < 4.0
    centres = sampling.into_box(after.positions, liquid.box).mean(axis=1)
    assert (centres >= 0).all() and (centres < liquid.box).all()
    # 1.5 kT per atom; 120 atoms scatter by 7 %
    mass = np.where(np.array(n_alkane(2).symbols) == "C", 12.011, 1.008)
    kinetic = 0.5 * (mass[:, None] * after.velocities**2).sum() * 1e7 / 4.184 / 1e3
    assert kinetic / (1.5 * 120 * 0.0019872 * 300.0) == pytest.approx(1.0, abs=0.3)


def test_density_of_a_force_field() -> None:
    """Real LAMMPS at constant pressure: a box that begins too dilute contracts."""
    table = liquids()[5]
    dilute = Liquid(5, table.molecules, 300.0, 0.55, "OPLS-AA", 0.2, prepare=(2.0, 0.2, 1.0))
    mean, error = sampling.equilibrium_density(dilute, 5.0, 3.0, 2.0, seed=1)
    assert 0.57 < mean < 0.72 and 0.0 < error < 0.05


def test_a_broken_molecule_is_refused() -> None:
    positions = np.tile(n_alkane(3).positions, (2, 1, 1))
    positions[1, 0] += 0.8
    with pytest.raises(RuntimeError, match="a bond"):
        make_liquids.check_whole(liquids()[3], positions)


FAKE = """
import sys, time
from pathlib import Path
sys.path.insert(0, {scripts!r})
import numpy as np, labels, make_liquids, sampling

def prepare(liquid, seed):
    rng = np.random.default_rng(seed)
    positions = np.repeat(make_liquids.n_alkane(liquid.carbons).positions[None], liquid.molecules, 0)
    return sampling.State(positions + rng.uniform(0, 20, (liquid.molecules, 1, 3)), 0 * positions)

def advance(liquid, state, picoseconds, seed):
    moves = np.random.default_rng(seed).normal(0, 0.01, state.positions.shape)
    return sampling.State(state.positions + moves, state.velocities + 1)

def label(symbols, positions, box):
    time.sleep({sleep})
    return labels.Labels(positions.sum(), 2 * positions, positions.sum(axis=(1, 2)), positions)

make_liquids.prepare, make_liquids.advance = prepare, advance
if __name__ == "__main__":
    make_liquids.make(Path(sys.argv[1]), {{1: 6, 4: 5}}, int(sys.argv[2]), label)
"""


def fake(tmp_path: Path, sleep: float) -> Path:
    """A script that samples and labels by toys, as slowly as wanted."""
    path = tmp_path / f"fake_{sleep}.py"
    path.write_text(textwrap.dedent(FAKE).format(scripts=str(ROOT / "scripts" / "polymer"), sleep=sleep))
    return path


def frames_of(folder: Path) -> dict[str, np.ndarray]:
    """All numbers of all frames by file and name."""
    found = {}
    for path in sorted(folder.glob("n*/frame_*.npz")):
        with np.load(path) as frame:
            for name in frame:
                found[f"{path.parent.name}/{path.name}/{name}"] = frame[name]
    return found


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path, jobs: int) -> None:
    quick, slow = fake(tmp_path, 0.0), fake(tmp_path, 0.2)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([sys.executable, quick, whole, "1"], check=True, capture_output=True, timeout=100)
    child = subprocess.Popen(
        [sys.executable, slow, killed, str(jobs)], start_new_session=True, stdout=subprocess.DEVNULL
    )
    end = time.monotonic() + 60
    while len(list(killed.glob("n*/frame_*.npz"))) < 3 and time.monotonic() < end:
        time.sleep(0.02)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    before = {path: path.stat().st_mtime_ns for path in killed.glob("n*/frame_*.npz")}
    assert 3 <= len(before) < 11
    for path in before:  # whole files only
        with np.load(path) as frame:
            assert np.isfinite(frame["energy"])
    done = subprocess.run(
        [sys.executable, quick, killed, str(jobs)], check=True, capture_output=True, text=True, timeout=100
    )
    assert "11 of 11" in done.stdout and f"{len(before) + 1} of 11" in done.stdout
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    want, got = frames_of(whole), frames_of(killed)
    assert want.keys() == got.keys() and len(want) == 11 * 7
    for name, values in want.items():
        np.testing.assert_array_equal(got[name], values, err_msg=name)


def test_lengths_take_turns(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, fake(tmp_path, 0.0), tmp_path / "out", "1"],
        check=True, capture_output=True, text=True, timeout=100,
    )  # fmt: skip
    order = [line.split(":")[0] for line in done.stdout.splitlines()]
    assert order[:6] == [
        "CH4 frame 0",
        "C4H10 frame 0",
        "CH4 frame 1",
        "C4H10 frame 1",
        "CH4 frame 2",
        "C4H10 frame 2",
    ]
    assert order[-1] == "CH4 frame 5"


def test_collected_frames_are_what_was_labelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions to the last digit, forces and energies to the digits that are kept; the same bytes again."""
    liquid = liquids()[1]
    rng = np.random.default_rng(0)
    shape = (liquid.molecules, 5, 3)
    frame = {
        "positions": np.round(rng.uniform(-2, 30, shape), 5), "velocities": rng.normal(size=shape),
        "forces": rng.normal(size=shape), "molecule_forces": rng.normal(size=shape),
        "molecule_energies": rng.normal(size=shape[0]) - 110.0, "energy": -2650.123456789, "box": liquid.box,
    }  # fmt: skip
    path = tmp_path / "frame_00000.npz"
    np.savez_compressed(path, **frame)
    monkeypatch.setattr(labels, "isolated_atom", lambda symbol: -1.0)
    monkeypatch.setattr(collect.metadata, "version", lambda name: "0")
    about = collect.collect({liquid: [(5, path)]}, tmp_path / "set.extxyz.gz")
    assert about == json.loads((tmp_path / "set.json").read_text())
    assert about["liquids"]["CH4"]["frames"] == 1 and "not DFT" in about["level"]
    (atoms,) = ase.io.read(tmp_path / "set.extxyz.gz", ":")
    flat = {
        name: np.asarray(values).reshape(-1, 3) for name, values in frame.items() if np.shape(values) == shape
    }
    np.testing.assert_array_equal(atoms.positions, flat["positions"])
    np.testing.assert_allclose(atoms.get_forces(), flat["forces"], atol=0.6e-5)
    np.testing.assert_allclose(atoms.arrays["molecule_forces"], flat["molecule_forces"], atol=0.6e-5)
    np.testing.assert_array_equal(atoms.arrays["molecule"], np.repeat(np.arange(liquid.molecules), 5))
    np.testing.assert_allclose(atoms.info["molecule_energies"], frame["molecule_energies"], atol=1e-7)
    assert atoms.get_potential_energy() == pytest.approx(frame["energy"], abs=1e-7)
    assert (atoms.info["replica"], atoms.info["subset"], atoms.pbc.all()) == (1, "CH4", True)
    again = collect.collect({liquid: [(5, path)]}, tmp_path / "set.extxyz.gz")
    assert again["sha256"] == about["sha256"]
    with gzip.open(tmp_path / "set.extxyz.gz") as text:
        assert text.readline() == b"120\n"
    np.savez_compressed(path, **frame | {"box": 1.1 * liquid.box})
    with pytest.raises(collect.E3DError, match=r"alkanes.yaml has changed"):
        collect.collect({liquid: [(5, path)]}, tmp_path / "set.extxyz.gz")
    np.savez_compressed(path, **frame | {"energy": np.nan})
    with pytest.raises(collect.E3DError, match="finite labels"):
        collect.collect({liquid: [(5, path)]}, tmp_path / "set.extxyz.gz")


def test_a_run_goes_on_from_a_collected_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames come back with the digits that are kept, are collected to the same bytes, and more follow."""
    monkeypatch.setattr(labels, "isolated_atom", lambda symbol: -1.0)
    monkeypatch.setattr(collect.metadata, "version", lambda name: "0")
    first, new = tmp_path / "first", tmp_path / "new"
    subprocess.run([sys.executable, fake(tmp_path, 0.0), first, "1"], check=True, timeout=100)
    kept = collect.collect(make_liquids._found(first, [1, 4], 9), tmp_path / "kept.extxyz.gz")
    assert [one["frames"] for one in kept["liquids"].values()] == [6, 5]
    assert kept["liquids"]["CH4"]["replicas"] == 4
    where = functools.partial(make_liquids.frame_path, new)
    wanted = [liquids()[1], liquids()[4]]
    assert collect.unpack(tmp_path / "kept.extxyz.gz", wanted, where) == {"CH4": 6, "C4H10": 5}
    want, got = frames_of(first), frames_of(new)
    assert want.keys() - got.keys() == {name for name in want if name.endswith("velocities")}
    for name, values in got.items():
        np.testing.assert_allclose(values, want[name], atol=1e-5, err_msg=name)
    again = collect.collect(make_liquids._found(new, [1, 4], 9), tmp_path / "again.extxyz.gz")
    assert again["sha256"] == kept["sha256"]
    # the next frame is one step of its replica after the last one there, with velocities that were drawn
    begun = []

    def advance(liquid: Liquid, state: sampling.State, picoseconds: float, seed: int) -> sampling.State:
        begun.append(state)
        return sampling.State(state.positions + 0.25, 0.0 * state.positions)

    def label(symbols: Any, positions: np.ndarray, box: float) -> labels.Labels:
        return labels.Labels(1.0, positions, np.ones(len(positions)), positions)

    monkeypatch.setattr(make_liquids, "advance", advance)
    make_liquids.make(new, {1: 7}, label=label)
    np.testing.assert_array_equal(begun[0].velocities, sampling.drawn_velocities(liquids()[1], 101003))
    np.testing.assert_array_equal(begun[0].positions, got["n01/frame_00002.npz/positions"])
    # what is there stays; a gap ends what is collected; another replica's frame is no frame of this run
    (new / "n01/frame_00001.npz").unlink()
    assert len(make_liquids._found(new, [1], 9)[liquids()[1]]) == 1
    text = gzip.decompress((tmp_path / "kept.extxyz.gz").read_bytes()).replace(b"replica=2", b"replica=3")
    (tmp_path / "bad.extxyz.gz").write_bytes(gzip.compress(text))
    with pytest.raises(collect.E3DError, match=r"expected frame 2 of CH4 .* replica 2, got GFN1-xTB from 3"):
        collect.unpack(tmp_path / "bad.extxyz.gz", [liquids()[1]], where)


def test_drawn_velocities_are_those_of_the_temperature() -> None:
    """kT/2 in each direction of each atom, carbon and hydrogen alike; no momentum; units of LAMMPS real."""
    liquid = liquids()[1]
    mass = np.where(np.array(n_alkane(1).symbols) == "C", 12.011, 1.008)[:, None]
    drawn = np.array([sampling.drawn_velocities(liquid, seed) for seed in range(40)])
    assert np.abs((mass * drawn).sum(axis=(1, 2))).max() < 1e-12
    # kcal/mol: 1 g/mol (angstrom/fs)^2 is 1e4 kJ/mol
    energy = 0.5 * mass * drawn**2 * 1e4 / 4.184
    for atoms in (slice(0, 1), slice(1, 5)):
        mean = energy[:, :, atoms].mean() / (0.5 * 0.0019872 * 300.0)
        assert mean == pytest.approx(1.0, abs=0.07), f"kT/2 times {mean}"


@pytest.mark.parametrize("word", ["0", "1-99", "x", ""])
def test_bad_lengths(word: str) -> None:
    with pytest.raises(make_liquids.argparse.ArgumentTypeError, match="expected lengths"):
        make_liquids.parse_lengths(word)


def test_labels_of_a_frame_and_its_molecules() -> None:
    """With tblite: forces are derivatives, molecules by themselves add up far apart."""
    pytest.importorskip("tblite")
    symbols = n_alkane(1).symbols
    rng = np.random.default_rng(2)
    near = n_alkane(1).positions + rng.normal(0, 0.05, (2, 5, 3))
    near[1] += [4.0, 0.0, 0.0]
    found = labels.label(symbols, near, 12.0)
    step = 1e-3
    moved = [near.copy(), near.copy()]
    moved[0][1, 2, 0] += step
    moved[1][1, 2, 0] -= step
    energies = [labels.label(symbols, one, 12.0).energy for one in moved]
    assert -(energies[0] - energies[1]) / (2 * step) == pytest.approx(found.forces[1, 2, 0], abs=2e-4)
    assert -0.2 < found.energy - found.molecule_energies.sum() < 0.0
    far = near.copy()
    far[1] += [30.0, 0.0, 0.0]
    apart = labels.label(symbols, far, 70.0)
    assert apart.energy == pytest.approx(apart.molecule_energies.sum(), abs=2e-3)
    np.testing.assert_allclose(apart.molecule_forces, found.molecule_forces, atol=1e-4)
