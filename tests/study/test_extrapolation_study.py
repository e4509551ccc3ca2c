"""e3d study extrapolation: a tiny study from frames to figures, killed on its way, and what it refuses."""

from __future__ import annotations

import csv
import json
import signal
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import molecule as ase_molecule
from ase.calculators.singlepoint import SinglePointCalculator
from matscipy.neighbours import neighbour_list

from e3d_lmp.cli import call
from e3d_lmp.edges.isolated_atoms import isolated_atom_energies
from e3d_lmp.errors import E3DError
from e3d_lmp.study.extrapolation.plan import read_plan
from training_runs import forked_trainings, kill_at, prepared_forty

LEVEL = "GFN1-xTB"
FRAMES, STEPS, BOX = 20, 20, 7.5
FAMILY = ("CH4", "C2H6", "C3H8")
BEYOND = "trans-butane"


def energy_and_forces(atoms: Atoms) -> tuple[float, np.ndarray]:
    """Cohesive energy of a Morse potential of all pairs within 4 angstrom, eV, and its forces."""
    cell = np.asarray(atoms.cell) if atoms.pbc.any() else 50.0 * np.eye(3)
    i, j, r, vectors = neighbour_list("ijdD", positions=atoms.positions, cell=cell, pbc=atoms.pbc, cutoff=4.0)
    rest = np.where(atoms.numbers[i] + atoms.numbers[j] == 7, 1.09, 1.53)
    decay = np.exp(-2.0 * (r - rest))
    energy = 0.5 * float((decay**2 - 2.0 * decay).sum())
    slope = (-4.0 * decay**2 + 4.0 * decay) / r
    forces = np.zeros((len(atoms), 3))
    np.add.at(forces, i, slope[:, None] * vectors)
    return energy, forces


def frame(name: str, seed: int) -> Atoms:
    """Two molecules in a box, labelled; one of them is cut by its boundary."""
    rng = np.random.default_rng(seed)
    isolated = isolated_atom_energies(LEVEL)
    parts = []
    for site in (0.0, 0.5):
        one = ase_molecule(name)
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        one.positions = (one.positions - one.positions.mean(0)) @ turn + site * BOX
        one.positions += rng.normal(scale=0.03, size=one.positions.shape)
        parts.append(one)
    own = [energy_and_forces(one)[0] + sum(isolated[z] for z in one.numbers.tolist()) for one in parts]
    atoms = parts[0] + parts[1]
    atoms.set_cell(np.eye(3) * BOX)
    atoms.set_pbc(True)
    atoms.wrap()
    energy, forces = energy_and_forces(atoms)
    total = energy + sum(isolated[z] for z in atoms.numbers.tolist())
    atoms.arrays["molecule"] = np.repeat([0, 1], len(parts[0]))
    atoms.info |= {"subset": name, "level": LEVEL, "molecule_energies": np.array(own)}
    atoms.calc = SinglePointCalculator(atoms, energy=total, forces=forces)
    return atoms


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of three alkanes, and ``tiny.yaml``, the configuration of a tiny model."""
    folder = tmp_path_factory.mktemp("family")
    frames = [frame(name, k) for name in (*FAMILY, BEYOND) for k in range(FRAMES)]
    ase.io.write(folder / "liquids.extxyz", frames)
    tiny = prepared_forty(tmp_path_factory.getbasetemp()) / "tiny.yaml"
    (folder / "tiny.yaml").write_text(tiny.read_text())
    return folder


def write_study(folder: Path, name: str = "study.yaml", **changes: Any) -> Path:
    study = {
        "file": "liquids.extxyz",
        "level": LEVEL,
        "members": list(FAMILY),
        "beyond": [BEYOND],
        "r_max": 3.5,
        "steps": STEPS,
        "train": {"config": "tiny.yaml"},
        "soap": {"cutoff": 3.5, "radial": 3, "angular": 2, "atoms": 60},
    }
    path = folder / name
    path.write_text(
        yaml.safe_dump({key: value for key, value in (study | changes).items() if value is not None})
    )
    return path


def test_a_killed_study_goes_on_and_draws_every_figure(folder: Path, capsys: pytest.CaptureFixture) -> None:
    for package in ("featomic", "skmatter"):
        pytest.importorskip(package)
    out = folder / "out"
    words = ["extrapolation", str(write_study(folder, molecules=True)), "-o", str(out)]
    kill_at(out / "rows/C2H6_s1/train", 5, signal.SIGTERM)
    with forked_trainings():
        assert call("study", words) == 128 + signal.SIGTERM
    assert "goes on in" in capsys.readouterr().err
    first = out / "rows/CH4_s1/row.json"
    written = first.stat().st_mtime_ns
    assert call("study", [*words, "--status"]) == 0
    states = [line.split()[1] for line in capsys.readouterr().out.splitlines()[1:]]
    assert states == ["done", "stopped", "not"]
    with forked_trainings():
        assert call("study", words) == 0
    said = capsys.readouterr()
    assert "left out" not in said.out and "trained on C3H8" in said.out
    assert first.stat().st_mtime_ns == written
    assert len(list((out / "rows/C2H6_s1/train/log").iterdir())) == 2  # it went on, in a second process
    for name in ("errors", "shift", "intramolecular", "intramolecular_shift", "between", "between_errors",
                 "maps", "novelty", "environments", "ridge", "reach"):  # fmt: skip
        assert (out / f"{name}.png").stat().st_size > 0, name
    _check_numbers(out)
    assert call("study", words) == 0
    assert "row " not in capsys.readouterr().err
    changed = write_study(folder, "changed.yaml", molecules=True, cutoff="2.0")
    with pytest.raises(E3DError, match=r"other inputs \(cutoff: covalent, now 2\.0"):
        call("study", ["extrapolation", str(changed), "-o", str(out)])


def _check_numbers(out: Path) -> None:
    """The table is what each row says of each frame, and the parts of an energy add up."""
    with open(out / "extrapolation.csv", newline="") as file:
        table = {(line["trained_on"], line["asked_for"]): line for line in csv.DictReader(file)}
    assert len(table) == 12
    numbers = json.loads((out / "extrapolation.json").read_text())
    assert numbers["rows_done"] == 3 and all(part is not None for part in numbers["matrices"].values())
    for (one, other), line in table.items():
        held_out = FRAMES if other == BEYOND else FRAMES // 5
        own = json.loads((out / f"rows/{one}_s1/row.json").read_text())["asked"][other]
        energy, reference, atoms = (np.array(own[key]) for key in ("energy", "reference", "atoms"))
        frames = [frame(other, FRAMES - held_out + k) for k in range(held_out)]
        np.testing.assert_allclose(reference, [energy_and_forces(atoms)[0] for atoms in frames], atol=1e-6)
        error = 1000 * np.abs((energy - reference) / atoms).mean()
        assert float(line["E_mae_meV_per_atom"]) == pytest.approx(error)
        between = {key: np.array(values) for key, values in own["between"].items()}
        np.testing.assert_allclose(between["model"] + own["inside"]["energy"], energy, atol=1e-6)
        np.testing.assert_allclose(between["label"] + own["inside"]["reference"], reference, atol=1e-6)
        assert np.isfinite(own["force_error"])
        hidden = 1000 * ((between["model"] - between["edges"]) / 2).mean()
        assert float(line["E_inter_hidden_meV_per_molecule"]) == pytest.approx(hidden)
    matrix = np.array(numbers["matrices"]["frames"]["energy"])
    assert matrix[0, 2] == pytest.approx(float(table["CH4", "C3H8"]["E_mae_meV_per_atom"]) / 1000)
    assert set(numbers["matrices"]["maps"]["entropy"]) == {"C-H", "C-C"}
    share = np.array(numbers["matrices"]["novelty"]["share"])
    assert ((share >= 0.0) & (share <= 1.0)).all() and share[0, 2] > share[2, 2]
    to_last = np.array(numbers["matrices"]["maps"]["to_last"]["C-H"])
    assert to_last[2].tolist() == [0.0, 0.0, 0.0] and (to_last[:2] > 0.0).all()


@pytest.mark.parametrize("forces", [False, True], ids=["energies alone", "energies and forces"])
def test_molecules_by_themselves_are_learnt_from_where_they_are_asked_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forces: bool
) -> None:
    """Each frame of training comes twice: as it is, and with its molecules apart and their own labels."""
    frames = ase.io.read(folder / "liquids.extxyz", index=":")
    for atoms in frames:
        if forces:
            atoms.arrays["molecule_forces"] = np.full((len(atoms), 3), 0.25)
    ase.io.write(tmp_path / "liquids.extxyz", frames)
    monkeypatch.chdir(tmp_path)  # a relative folder of the study
    counts = {}
    for asked in (False, True):
        path = write_study(tmp_path, molecules=asked, train=None)
        counts[asked] = read_plan(path, Path("out")).data("C2H6").manifest["sets"]
    train, validation = (
        16,
        2,
    )  # 20 frames less a fifth; a tenth of the rest for the validation, one for nobody
    assert counts[False]["train"]["frames"] == train - validation - 1
    for part, few in (("train", train - validation - 1), ("val", validation)):
        assert counts[True][part]["frames"] == 2 * few
        assert counts[True][part].get("frames_without_forces", 0) == (0 if forces else few)
    apart = [one for one in read_plan(path, Path("out")).learnt("C2H6") if not one.is_periodic]
    assert len(apart) == train
    own = energy_and_forces(Atoms(apart[0].numbers, apart[0].positions))[0]
    assert apart[0].energy == pytest.approx(own, abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": ["CH4"]}, "expected three members or more that are not excluded, got CH4"),
        ({"excluded": ["CH4"]}, "expected three members or more that are not excluded, got C2H6 C3H8"),
        ({"excluded": ["CH3"]}, "excluded: CH3 is no member"),
        ({"members": ["CH4", "CH4", "C2H6"]}, "a name of its own"),
        ({"file": None}, "no key 'file'"),
        ({"file": "nothere.extxyz"}, "no such file"),
        ({"members": {"../x": "liquids.extxyz"}}, "cannot name a folder"),
        ({"colour": 1}, "no key 'colour' is known"),
        ({"held_out": 2}, "held_out: expected a number above 0"),
        ({"molecules": "both"}, "molecules: expected true or false, got 'both'"),
        ({"molecules": True, "between": False}, "between: false says that there are none"),
        ({"soap": {"sigma": 1}}, "soap.sigma is not known"),
        ({"soap": {"radial": 1.5}}, "soap.radial: expected a number"),
        ({"train": {"seed": 3}}, "train.seed is set by the study"),
    ],
)
def test_studies_that_make_no_sense_are_refused(folder: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(E3DError, match=message):
        read_plan(write_study(folder, "wrong.yaml", **changes), folder / "x")


def test_frames_that_cannot_be_used_are_refused_before_any_training(folder: Path) -> None:
    good = ase.io.read(folder / "liquids.extxyz", index=":")

    def study(change: Any, **changes: Any) -> None:
        frames = [atoms.copy() for atoms in good]
        for old, new in zip(good, frames, strict=True):
            new.calc = SinglePointCalculator(new, **old.calc.results)
        change(frames[30])
        ase.io.write(folder / "bad.extxyz", frames)
        path = write_study(folder, "bad.yaml", file="bad.extxyz", **changes)
        call("study", ["extrapolation", str(path), "-o", str(folder / "bad")])

    def stretched(atoms: Atoms) -> None:
        atoms.positions[2] += 1.2 * (atoms.positions[2] - atoms.positions[0])

    with pytest.raises(
        E3DError, match=r"bad.extxyz/30: expected energy, molecule.* missing: molecule_energies"
    ):
        study(lambda atoms: atoms.info.pop("molecule_energies"))
    with pytest.raises(
        E3DError, match=r"bad.extxyz/30: expected labels at GFN1-xTB, got PM6; levels of theory"
    ):
        study(lambda atoms: atoms.info.update(level="PM6"))
    with pytest.raises(E3DError, match=r"bad.extxyz/30: expected whole molecules .* leave this frame out"):
        study(stretched)
    with pytest.raises(E3DError, match=r"expected 5 frames of CF4 with subset=CF4 or more, got 0"):
        study(lambda atoms: None, members=[*FAMILY, "CF4"])
    assert not list((folder / "bad").rglob("inputs.json"))
