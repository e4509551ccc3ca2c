"""The frames that scripts/training/dft_labels.py labels, and their way to a training set."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from ase import Atoms, units
from ase.build import molecule as ase_molecule
from ase.calculators.calculator import Calculator, all_changes

from e3d_lmp.edges.isolated_atoms import SPICE_LEVEL, isolated_atom_energies
from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.spice import read_spice
from lammps_runs import ROOT
from training_sets import CONSTANTS_RTOL, wanted

sys.path.insert(0, str(ROOT / "scripts" / "training"))

import dft_geometry
import dft_level
import dft_molecules
import label_run
from label_frames import Dropped, Frame, Label, Labeller, plan_text, read_plan, round_robin
from label_store import labels_of, write_store

WATER = Frame(
    "molecule",
    "O minimum",
    "O",
    ("O", "H", "H"),
    np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]]),
    uncoupled=1,
)


def _frames(count: int, group: str = "molecule") -> list[Frame]:
    rng = np.random.default_rng(3)
    return [
        replace(
            WATER, group=group, name=f"O {k}", positions=WATER.positions + rng.normal(scale=0.01, size=(3, 3))
        )
        for k in range(count)
    ]


def _springs(frame: Frame) -> Label:
    """A fake label: springs between all atoms, below the isolated atoms; a name that ends in 3 is dropped."""
    if frame.name.endswith("3"):
        raise Dropped("SCF not converged")
    vectors = frame.positions[:, None] - frame.positions[None]
    distances = np.linalg.norm(vectors, axis=-1) + np.eye(len(vectors))
    gradient = 2.0 * ((1.0 - 1.0 / distances)[..., None] * vectors).sum(axis=1)
    atoms = sum(isolated_atom_energies(SPICE_LEVEL)[{"H": 1, "O": 8}[symbol]] for symbol in frame.symbols)
    energy = 0.5 * ((distances - 1.0) ** 2).sum() + (atoms - 10.0) / units.Hartree
    return Label(energy, gradient, 1, 0.0, "RKS", 0.1)


FAKE = Labeller(_springs, "DFT", {"level": "springs"}, {"springs": "1"})


def test_a_frame_keeps_its_key_on_the_way_through_a_plan(tmp_path: Path) -> None:
    pulled = replace(
        WATER,
        group="pulled",
        multiplicities=(1, 3),
        fragment=(0, 1),
        fragment_multiplicities=((2, 2),),
        positions=WATER.positions + 1e-7 / 3,
    )
    (tmp_path / "plan.json").write_text(plan_text([WATER, pulled]))
    again = read_plan(tmp_path / "plan.json")
    assert [frame.key for frame in again] == [WATER.key, pulled.key]
    assert again[1].fragment_multiplicities == ((2, 2),) and again[1].multiplicities == (1, 3)
    others = [
        replace(WATER, positions=WATER.positions + 1e-5),
        replace(WATER, symbols=("O", "H", "F")),
        replace(WATER, multiplicities=(3,)),
        replace(WATER, uncoupled=0),
    ]
    assert len({WATER.key, pulled.key, *(frame.key for frame in others)}) == 6
    assert replace(WATER, name="another", group="dimer").key == WATER.key  # the label does not depend on it


def test_any_beginning_of_a_plan_is_balanced() -> None:
    order = list(round_robin([["a"] * 7, ["b"] * 7, ["c"] * 3]))
    assert Counter(order) == {"a": 7, "b": 7, "c": 3}
    for length in range(1, 10):
        counts = Counter(order[:length])
        assert max(counts.values()) - min(counts[name] for name in "abc") <= 1


class Spring(Calculator):
    """A spring between the first two atoms, eV/angstrom², at rest at 1 angstrom."""

    implemented_properties = ("energy", "forces")
    constant = 30.0

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        assert self.atoms is not None
        vector = self.atoms.positions[1] - self.atoms.positions[0]
        stretch = np.linalg.norm(vector) - 1.0
        forces = np.zeros((len(self.atoms), 3))
        forces[0] = self.constant * stretch * vector / np.linalg.norm(vector)
        forces[1] = -forces[0]
        self.results = {"energy": 0.5 * self.constant * stretch**2, "forces": forces}


@pytest.mark.parametrize("temperature", [10.0, 20000.0])
def test_displaced_frames_have_the_width_of_a_quantum_oscillator(
    temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """<x²> of the bond is ħ/(2μω) when cold, kT/k when hot."""
    pytest.importorskip("rdkit")
    monkeypatch.setattr(dft_geometry, "calculator", lambda multiplicity: Spring())
    monkeypatch.setattr(dft_geometry, "acceptable", lambda *_: True)
    dft_geometry.relaxed.cache_clear()
    dft_geometry.normal_modes.cache_clear()
    rng = np.random.default_rng(1)
    draws = [dft_geometry.displaced("[H]Cl", 1, temperature, rng) for _ in range(4000)]
    # along the bond, as the mode is straight; the bond is turned by nothing
    along = np.array([np.linalg.norm(a.positions[1] - a.positions[0]) - 1.0 for a in draws])
    masses = Atoms("HCl").get_masses()
    reduced = masses.prod() / masses.sum()
    quantum = dft_geometry.HBAR * np.sqrt(Spring.constant / reduced)
    assert quantum == pytest.approx(
        units._hbar * np.sqrt(Spring.constant * units._e * 1e20 / (reduced * units._amu)) / units._e
    )
    want = quantum / (2.0 * Spring.constant) / np.tanh(quantum / (2.0 * units.kB * temperature))
    if temperature > 1e4:
        assert want == pytest.approx(units.kB * temperature / Spring.constant, rel=0.03)
    assert along.var() == pytest.approx(want, rel=0.1)


def test_a_pulled_bond_has_its_length_and_its_sides_keep_their_shape() -> None:
    ethanol = ase_molecule("CH3CH2OH")
    distances = ethanol.get_all_distances()
    bonds = dft_geometry.bonded(ethanol)
    oxygen = int(np.flatnonzero(ethanol.numbers == 8)[0])
    carbon = int(np.flatnonzero(bonds[oxygen] & (ethanol.numbers == 6))[0])
    first, second = dft_geometry.sides(ethanol, carbon, oxygen)
    assert sorted(first + second) == list(range(9)) and carbon in first and oxygen in second
    assert len(second) == 2
    for distance in (1.2, 2.0, 5.0):
        rng = np.random.default_rng(2)
        parts = [(first, None), (second, None)]
        moved = dft_geometry.pulled(ethanol, (carbon, oxygen), distance, parts, rng)
        assert moved.get_distance(carbon, oxygen) == pytest.approx(distance)
        for side in (first, second):
            near = np.ix_(side, side)
            np.testing.assert_allclose(moved.get_all_distances()[near], distances[near], atol=1e-9)
    flat = ethanol[first]
    flat.positions *= 1.1
    moved = dft_geometry.pulled(ethanol, (carbon, oxygen), 5.0, [(first, flat), (second, None)], rng)
    near = np.ix_(first, first)
    np.testing.assert_allclose(moved.get_all_distances()[near], 1.1 * distances[near], atol=1e-6)
    with pytest.raises(dft_geometry.UnfitError, match="ring"):
        dft_geometry.sides(ase_molecule("C3H6_D3h"), 0, 1)


def test_a_permuted_product_is_matched_to_its_reactant() -> None:
    """An alcohol and itself, turned and shuffled: no bond changes, no atom moves."""
    ethanol = ase_molecule("CH3CH2OH")
    rng = np.random.default_rng(5)
    order = rng.permutation(9)
    product = ethanol[order]
    product.rotate(70.0, (1.0, 2.0, 3.0))
    product.positions += [3.0, -1.0, 2.0]
    matched = dft_geometry.matched(ethanol, product, rng)
    assert (matched.numbers == ethanol.numbers).all()
    assert (dft_geometry.bonded(matched) == dft_geometry.bonded(ethanol)).all()
    np.testing.assert_allclose(matched.positions, ethanol.positions, atol=1e-5)
    with pytest.raises(dft_geometry.UnfitError, match="same atoms"):
        dft_geometry.matched(ethanol, ase_molecule("CH4"), rng)


def test_every_kind_of_bond_is_pulled_apart_and_reactions_keep_their_atoms() -> None:
    pytest.importorskip("rdkit")
    from rdkit import Chem

    kinds = set()
    for smiles, pairs in dft_molecules.BONDS:
        molecule = dft_geometry.parsed(smiles)
        first, second = (
            next(a for a in molecule.GetAtoms() if a.GetAtomMapNum() == number) for number in (1, 2)
        )
        bond = molecule.GetBondBetweenAtoms(first.GetIdx(), second.GetIdx())
        assert bond is not None and not bond.IsInRing()
        kinds.add(frozenset((first.GetSymbol(), second.GetSymbol())))
        electrons = sum(atom.GetAtomicNum() for atom in molecule.GetAtoms())
        for one, other in pairs:  # spins of two sides with so many electrons
            assert (one + other) % 2 == electrons % 2
    heavy = "C N O S F Cl".split()
    assert {frozenset((name, "H")) for name in heavy} | {frozenset("H")} <= kinds
    missing = {tuple(sorted((a, b))) for a in heavy for b in heavy if frozenset((a, b)) not in kinds}
    # known only in molecules that are too unstable or too large here
    assert missing <= {("N", "S"), ("Cl", "S"), ("F", "S")}
    for reaction in dft_molecules.REACTIONS + dft_molecules.RADICAL_REACTIONS:
        sides = [
            Counter(a.GetSymbol() for a in dft_geometry.parsed(side).GetAtoms())
            for side in reaction.split(">>")
        ]
        assert sides[0] == sides[1], reaction
    assert all(Chem.MolFromSmiles(smiles) for smiles in dft_molecules.MOLECULES + dft_molecules.PARTNERS)


def test_spin_contamination_has_a_limit_that_knows_of_broken_bonds() -> None:
    assert dft_level.spin_limit(1, 0) == pytest.approx(dft_level.SPIN_LIMIT)
    assert dft_level.spin_limit(2, 0) == pytest.approx(0.75 + dft_level.SPIN_LIMIT)
    assert dft_level.spin_limit(1, 3) == pytest.approx(3.0 + dft_level.SPIN_LIMIT)  # N2 pulled apart
    label = Label(-76.0, np.zeros((3, 3)), 1, 1.02, "UKS", 1.0)
    assert dft_level.checked(label, WATER) is label
    with pytest.raises(Dropped, match=r"<S\^2>"):
        dft_level.checked(replace(label, spin_square=1.3), WATER)
    with pytest.raises(Dropped, match=r"<S\^2>"):
        dft_level.checked(label, replace(WATER, uncoupled=0))
    with pytest.raises(Dropped, match=r"<S\^2>"):  # a restricted solution has none at all
        dft_level.checked(replace(label, method="RKS"), WATER)
    with pytest.raises(Dropped, match="finite"):
        dft_level.checked(replace(label, energy=float("nan")), WATER)


@pytest.mark.parametrize("jobs", [1, 2])
def test_dropped_frames_are_counted_and_nothing_is_done_twice(tmp_path: Path, jobs: int) -> None:
    label_run.write_plan(tmp_path, _frames(6))
    assert label_run.run(tmp_path, FAKE, jobs) == {"": 5, "SCF not converged": 1}
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "labels").iterdir()}
    assert len(times) == 6
    assert label_run.run(tmp_path, FAKE, jobs) == {}
    assert times == {path: path.stat().st_mtime_ns for path in (tmp_path / "labels").iterdir()}
    label_run.write_plan(tmp_path, [*_frames(6), replace(_frames(8)[7], name="O 7")])  # a longer plan
    assert label_run.run(tmp_path, FAKE, jobs) == {"": 1}
    with pytest.raises(E3DError, match="expected a plan"):
        label_run.run(tmp_path / "none", FAKE, jobs)


def test_a_frame_that_no_call_takes_is_dropped_and_those_of_its_call_are_not(tmp_path: Path) -> None:
    label_run.write_plan(tmp_path, _frames(6))
    odd = _frames(6)[4].key

    def label(frame: Frame) -> Label:
        if frame.key == odd:
            raise RuntimeError("index out of range")
        return Label(-76.0, np.zeros((3, 3)), 1, 0.0, "AIMNet2", 0.1)

    labeller = Labeller(label, "AIMNet2", {}, {}, lambda frames: [label(frame) for frame in frames])
    assert label_run.run(tmp_path, labeller, 1) == {"": 5, "failed: RuntimeError": 1}


SLOW = """
import sys, time
sys.path[:0] = {paths!r}
import label_run
from label_frames import Label, Labeller
from pathlib import Path

def label(frame):
    with open({log!r}, "a") as log:
        log.write(frame.key + "\\n")
    time.sleep(0.3)
    return Label(-76.0, 0.0 * frame.positions, 1, 0.0, "RKS", 0.4)

if __name__ == "__main__":
    label_run.run(Path({out!r}), Labeller(label, "DFT", {{}}, {{}}), {jobs})
"""


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_run_loses_only_the_frames_under_way(tmp_path: Path, jobs: int) -> None:
    """kill -9, in a session of its own; the workers go too, and the same command ends what was begun."""
    frames = _frames(40)
    label_run.write_plan(tmp_path, frames)
    log = tmp_path / "log"
    script = tmp_path / "slow.py"
    paths = sys.path
    script.write_text(SLOW.format(paths=paths, log=str(log), out=str(tmp_path), jobs=jobs))
    process = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.DEVNULL)
    labels = tmp_path / "labels"
    end = time.monotonic() + 120.0
    while not labels.is_dir() or len(list(labels.glob("[!.]*.json"))) < 3:
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(3.5)  # what a worker has under way, and the time in which it notices
    begun = log.read_text().split()
    done = [path.stem for path in labels.glob("[!.]*.json")]
    assert 3 <= len(done) < len(frames)
    subprocess.run([sys.executable, str(script)], check=True, stdout=subprocess.DEVNULL)
    again = log.read_text().split()[len(begun) :]
    assert not set(again) & set(done)
    assert len(begun) + len(again) <= len(frames) + jobs + 1
    labelled, dropped, left = labels_of(tmp_path, frames)
    assert len(labelled) == len(frames) and not dropped and not sum(left.values())


def test_fast_labels_do_not_flood_the_screen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line a second at most, but for dropped frames and the last one."""
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    told = label_run.Progress(1000, 1000, 1)
    for k in range(1000):
        clock[0] += 0.01
        told(WATER, "no convergence" if k == 55 else "")
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("0 of 1000 frames are done") and len(lines) == 1 + 9 + 1 + 1
    assert lines[0].startswith("1/1000 ") and lines[-1].startswith("1000/1000 ")
    assert lines[1].startswith("56/1000 ") and "DROPPED: no convergence" in lines[1]
    assert lines[-1].endswith("[0.01 s a frame, 0 min left]")


def test_collected_labels_are_what_the_reader_of_spice_reads(tmp_path: Path) -> None:
    frames = _frames(5)
    pulled = [
        replace(
            frame,
            group="pulled",
            name=f"O O-H {distance:.3f} A",
            fragment=(0, 1),
            positions=WATER.positions * np.array([[1.0], [distance / 0.96], [1.0]]),
        )
        for frame, distance in zip(_frames(2), (3.0, 1.0), strict=True)
    ]
    label_run.write_plan(tmp_path, frames + pulled)
    label_run.run(tmp_path, FAKE, 1)
    path = tmp_path / "deep" / "labels.h5"
    write_store(tmp_path, frames + pulled, FAKE, path)
    request = wanted(elements=("H", "O"), max_force=1e3)
    molecules = {one.subset: one for one in read_spice(path, request)}
    assert {name: len(one) for name, one in molecules.items()} == {"DFT molecules": 4, "DFT pulleds": 2}
    kept = [frame for frame in frames if not frame.name.endswith("3")]
    kept.sort(key=lambda frame: _springs(frame).energy)
    one = molecules["DFT molecules"]
    assert (one.smiles, one.charge) == ("O", 0)
    for k, frame in enumerate(kept):
        label = _springs(frame)
        vectors = frame.positions[:, None] - frame.positions[None]
        stretch = np.linalg.norm(vectors, axis=-1) + np.eye(3) - 1.0
        np.testing.assert_allclose(one.positions[k], frame.positions, atol=1e-6)
        np.testing.assert_allclose(
            one.energy[k], 0.5 * (stretch**2).sum() * units.Hartree - 10.0, atol=2100 * CONSTANTS_RTOL
        )
        np.testing.assert_allclose(
            one.forces[k], -label.gradient * units.Hartree / units.Bohr, rtol=1e-4, atol=1e-4
        )
    two = molecules["DFT pulleds"]
    bonds = np.linalg.norm(two.positions[:, 1] - two.positions[:, 0], axis=1)
    np.testing.assert_allclose(bonds, [1.0, 3.0], atol=1e-5)  # the shortest first: it says who it is
    with h5py.File(path) as file:
        assert json.loads(file.attrs["dropped"]) == {"molecule: SCF not converged": 1}
        assert json.loads(file.attrs["made_with"]) == {"springs": "1"}
        group = file["molecule_0000"]
        np.testing.assert_allclose(
            group["formation_energy"][()] * units.Hartree,
            one.energy,
            atol=2100 * CONSTANTS_RTOL,
            err_msg="formation energy",
        )
        assert group["multiplicity"][()].tolist() == [1] * 4
    row = tmp_path / "labels" / f"{frames[0].key}.json"
    text = json.loads(row.read_text())
    row.write_text(json.dumps(text | {"made_with": {"springs": "2"}}))
    with pytest.raises(E3DError, match="one program"):
        write_store(tmp_path, frames, FAKE, path)
    with pytest.raises(E3DError, match="found none"):
        write_store(tmp_path, _frames(9)[8:], FAKE, path)


def test_hydrogen_breaks_into_two_atoms_at_the_level() -> None:
    """PySCF itself: D_e, the atoms far apart, <S²>, and the gradient against differences."""
    pytest.importorskip("pyscf", reason="labels need pyscf and pyscf-dispersion")
    pytest.importorskip("pyscf.dispersion", reason="labels need pyscf-dispersion")
    import dft_check

    frame = Frame(
        "pulled",
        "H-H",
        "[H][H]",
        ("H", "H"),
        np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 4.5]]),
        uncoupled=1,
        fragment=(0,),
        fragment_multiplicities=((2, 2),),
    )
    atom = dft_level.isolated_atom("H", 2)
    apart = dft_level.label_frame(frame)
    assert apart.method == "UKS" and apart.spin_square == pytest.approx(1.0, abs=0.01)
    assert (apart.energy - 2.0 * atom) * units.Hartree == pytest.approx(0.0, abs=0.005)
    bound = replace(frame, positions=frame.positions * 0.743 / 4.5)
    label = dft_level.label_frame(bound)
    assert label.method == "RKS" and label.spin_square == 0.0
    assert (2.0 * atom - label.energy) * units.Hartree == pytest.approx(4.75, abs=0.1)
    stretched = replace(frame, positions=frame.positions * 1.6 / 4.5)
    worst, largest = dft_check.gradient_difference(stretched, [2, 5])
    assert largest > 0.5 and worst < 2e-3
