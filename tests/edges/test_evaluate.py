"""``e3d evaluate``: the model's own energies and LAMMPS's edges, from structures alone."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import ase.io
import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, Hartree

from e3d_lmp.cli import main
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.evaluate import Evaluated, evaluate_structures
from e3d_lmp.edges.evaluator import EdgeEvaluator
from e3d_lmp.edges.frames import EdgeFrame
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.edges.structures import Selection, Structures
from e3d_lmp.errors import E3DError
from e3d_lmp.model.engine import EdgeEnergies
from lammps_runs import run_lammps, script_of, write_data
from random_models import random_allegro
from systems import ELEMENTS, SYSTEMS, box, cluster, nequip_calculator, thin, triclinic
from tolerances import LADDER, close

F64 = LADDER["float64"]


def evaluate(*words: object) -> int:
    return main(["evaluate", *map(str, words)])


def molecules(n: int, seed: int = 3) -> list[Atoms]:
    """Small open clusters of H, C, O of 1 to 9 atoms; the first one is a lone atom."""
    rng = np.random.default_rng(seed)
    frames = []
    for k in range(n):
        atoms = cluster(1 + k % 9, seed=k)
        atoms.positions += rng.uniform(-20, 20, 3)
        atoms.cell, atoms.pbc = np.zeros((3, 3)), False
        del atoms.arrays["velocities"]
        frames.append(atoms)
    return frames


def all_of(evaluator: EdgeEvaluator, path: Path, **options: object) -> list[Evaluated]:
    return list(evaluate_structures(evaluator, Selection(Structures([path])), **options))


@pytest.fixture
def xyz(tmp_path: Path) -> Path:
    frames = [*molecules(12), box(), triclinic(), thin()]
    for atoms in frames:
        atoms.arrays.pop("velocities", None)
    ase.io.write(tmp_path / "s.extxyz", frames)
    return tmp_path / "s.extxyz"


@pytest.mark.parametrize("variant", ["plain", "everything"])
def test_equals_nequip(variant: str, xyz: Path, model_files) -> None:
    """Energies and forces of nequip's own calculator on the uncompiled model: lone atoms, molecules, solids,
    several images of a pair, directed cutoffs; and the edges add up to the energy."""
    evaluator = EdgeEvaluator(model_files(f"allegro-{variant}"), "cpu", batch=40)
    calculator = nequip_calculator(random_allegro(variant, "float64"))
    done = all_of(evaluator, xyz, forces=True)
    frames = ase.io.read(xyz, ":")
    assert len(done) == len(frames) == 15
    shift = dict(zip(evaluator.model.type_elements, evaluator.model.shifts, strict=True))
    for k, (one, atoms) in enumerate(zip(done, frames, strict=True)):
        atoms.calc = calculator
        close(f"energy of {one.name}", one.energy, atoms.get_potential_energy(), F64.total_energy)
        close(f"forces of {one.name}", one.atoms.force, atoms.get_forces(), F64.force)
        mu = sum(shift[symbol] for symbol in atoms.get_chemical_symbols())
        close(f"edges of {one.name}", one.frame.eps.sum() + mu, one.energy, F64.total_energy)
        assert one.name == f"s.extxyz/{k}" and one.frame.step == k
        assert list(one.atoms.element) == atoms.get_chemical_symbols()
        assert [evaluator.model.type_elements[t - 1] for t in one.atoms.type] == atoms.get_chemical_symbols()
        np.testing.assert_array_equal(one.atoms.position, atoms.positions)
    assert done[0].frame.i.size == 0 and done[14].frame.i.size > 100


@pytest.mark.parametrize("system", ["triclinic", "thin"])
def test_equals_edges_of_lammps(system: str, tmp_path: Path, model_files) -> None:
    """The same directed edges and energies as ``dump local`` of the same structure."""
    atoms = SYSTEMS[system]()
    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    model = model_files("allegro-everything")
    edges = run_lammps(script_of(model, ELEMENTS), tmp_path).edges()
    del atoms.arrays["velocities"]
    ase.io.write(tmp_path / "s.extxyz", atoms)
    assert (
        evaluate(model, tmp_path / "s.extxyz", "-o", tmp_path / "e.h5", "--device", "cpu", "--batch", 9) == 0
    )
    frame = StoreReader(tmp_path / "e.h5")[0]
    keys = np.round(frame.vec * 1e5)
    order = np.lexsort([keys[:, 2], keys[:, 1], keys[:, 0], frame.j, frame.i])
    np.testing.assert_array_equal(frame.i[order], edges["tag1"])
    np.testing.assert_array_equal(frame.j[order], edges["tag2"])
    # extxyz keeps eight decimals.
    close("vec", frame.vec[order], np.stack([edges["dx"], edges["dy"], edges["dz"]], axis=1), 5e-8)
    close("eps", frame.eps[order], edges["eps"], 1e-6)


@pytest.mark.parametrize(("ending", "dtype"), [("pth", "float32"), ("pt2", "float64")])
def test_any_batch_gives_the_same(ending: str, dtype: str, xyz: Path, model_files) -> None:
    model = model_files("allegro-everything", ending, dtype)
    whole = all_of(EdgeEvaluator(model, "cpu", 10_000), xyz, forces=True)
    for batch in (1, 7):
        for one, other in zip(
            all_of(EdgeEvaluator(model, "cpu", batch), xyz, forces=True), whole, strict=True
        ):
            np.testing.assert_array_equal(one.frame.j, other.frame.j)
            if one.frame.i.size:
                close("eps", one.frame.eps, other.frame.eps, LADDER[dtype].edge_energy)
            close("forces", one.atoms.force, other.atoms.force, LADDER[dtype].force)
            close("energy", one.energy, other.energy, LADDER[dtype].total_energy)


def test_bond_cutoff_keeps_energies(xyz: Path, model_files) -> None:
    evaluator = EdgeEvaluator(model_files("allegro-plain"), "cpu")
    every, bonds = all_of(evaluator, xyz), all_of(evaluator, xyz, cutoff=parse_cutoff("1.6"))
    for one, other in zip(every, bonds, strict=True):
        near = np.linalg.norm(one.frame.vec, axis=1) < 1.6
        np.testing.assert_array_equal(one.frame.eps[near], other.frame.eps)
        assert one.energy == other.energy
    assert 0 < sum(one.frame.i.size for one in bonds) < sum(one.frame.i.size for one in every) / 3


def test_command(xyz: Path, tmp_path: Path, model_files, capsys: pytest.CaptureFixture[str]) -> None:
    model = model_files("allegro-everything")
    words = (model, xyz, "-o", tmp_path / "e.h5", "--device", "cpu", "--forces")
    assert evaluate(*words, "--limit", 5) == 0
    assert len(StoreReader(tmp_path / "e.h5")) == 5
    assert evaluate(*words) == 0  # the rest
    assert "15 frames, 10 of them new" in capsys.readouterr().out
    with StoreReader(tmp_path / "e.h5") as reader:
        assert reader.elements == ("H", "C", "O")
        assert len(reader.provenance["model_sha256"]) == 64
        assert reader.provenance["decomposition"] == "rescaled"
        assert reader.provenance["structures"] == "s.extxyz"  # as seen from the store
        assert (tmp_path / reader.provenance["model"]).samefile(model)
        assert str(tmp_path) not in "".join(reader.provenance.values())
        assert list(reader.values("name")[:2]) == ["s.extxyz/0", "s.extxyz/1"]
        assert np.isnan(reader.values("reference_energy")).all()
        done = all_of(EdgeEvaluator(model, "cpu"), xyz, forces=True)
        for k, one in enumerate(done):
            assert_close_frame(reader[k], one.frame)
            np.testing.assert_array_equal(reader.atoms(k).position, one.atoms.position)
            close("forces", reader.atoms(k).force, one.atoms.force, F64.force)
            np.testing.assert_array_equal(reader[k].box.pbc, one.frame.box.pbc)
        close("energy", reader.values("energy"), [one.energy for one in done], F64.total_energy)


def assert_close_frame(got: EdgeFrame, expected: EdgeFrame) -> None:
    for name in ("i", "j", "type_i", "type_j", "vec"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
    if got.eps.size:
        close("eps", got.eps, expected.eps, F64.edge_energy)


# ---- HDF5 layouts


def spice_file(path: Path) -> tuple[Path, list[tuple[str, Atoms, float]]]:
    """Molecules in the SPICE layout, and (name, atoms, energy in eV) of each frame."""
    rng = np.random.default_rng(2)
    frames = []
    with h5py.File(path, "w") as file:
        for name, symbols, n in (("mol_a", "CH4", 3), ("mol_b", "H2O", 1), ("mol_c", "CO", 2)):
            atoms = Atoms(symbols, positions=rng.uniform(0, 3.0, (len(Atoms(symbols)), 3)))
            group = file.create_group(name)
            group["atomic_numbers"] = atoms.numbers.astype(np.int16)
            places = [atoms.positions + rng.normal(0, 0.05, atoms.positions.shape) for _ in range(n)]
            group["conformations"] = np.array(places) / Bohr
            group["conformations"].attrs["units"] = "bohr"
            energies = rng.normal(-40, 1, n)
            group["dft_total_energy"], group["formation_energy"] = energies, energies + 39
            for k in range(n):
                frame = Atoms(atoms.numbers, positions=places[k])
                frames.append((name if n == 1 else f"{name}/{k}", frame, energies[k] * Hartree))
    return path, frames


def transition1x_file(path: Path) -> tuple[Path, list[tuple[str, Atoms, float]]]:
    rng = np.random.default_rng(4)
    frames = []
    with h5py.File(path, "w") as file:
        for formula, reaction in (("CH4O", "rxn0"), ("CH4O", "rxn1"), ("C2H2", "rxn7")):
            group = file.create_group(f"data/{formula}/{reaction}")
            numbers = Atoms(formula).numbers
            energies = rng.normal(-1000, 1, 3)
            places = rng.uniform(0, 3.5, (3, len(numbers), 3))
            for k, end in enumerate(("reactant", "transition_state", "product")):
                member = group.create_group(end)
                member["atomic_numbers"], member["positions"] = numbers, places[k : k + 1]
                member["wB97x_6-31G(d).energy"] = energies[k : k + 1]
                member["other.energy"] = energies[k : k + 1] + 1
                frames.append(
                    (f"{formula}/{reaction}/{end}", Atoms(numbers, positions=places[k]), energies[k])
                )
            group["atomic_numbers"], group["positions"] = numbers, places[::-1]
            group["wB97x_6-31G(d).energy"] = energies[::-1]
        file.create_group("test/C2H2")["rxn7"] = h5py.SoftLink("/data/C2H2/rxn7")
    return path, sorted(frames, key=lambda frame: frame[0].split("/")[:2])


@pytest.mark.parametrize("layout", ["spice", "transition1x"])
def test_hdf5_layouts(layout: str, tmp_path: Path, model_files) -> None:
    path, frames = (spice_file if layout == "spice" else transition1x_file)(tmp_path / "data.h5")
    model = model_files("allegro-everything")
    assert evaluate(model, path, "-o", tmp_path / "e.h5", "--device", "cpu") == 0
    reader = StoreReader(tmp_path / "e.h5")
    assert list(reader.values("name")) == [name for name, _, _ in frames]
    close("reference", reader.values("reference_energy"), [energy for _, _, energy in frames], 1e-9)
    calculator = nequip_calculator(random_allegro("everything", "float64"))
    for k, (name, atoms, _) in enumerate(frames):
        atoms.calc = calculator
        close(name, reader.values("energy")[k], atoms.get_potential_energy(), F64.total_energy)
    structures = Structures([path, path])
    assert structures.count() == 2 * len(frames)
    for start in range(2 * len(frames) + 1):
        names = [structure.name for structure in structures.since(start)]
        assert names == (2 * [name for name, _, _ in frames])[start:]


def test_parts_images_and_energies(tmp_path: Path) -> None:
    path, frames = transition1x_file(tmp_path / "t.h5")
    test = [structure.name for structure in Structures([path], part="test").since()]
    assert test == [name for name, _, _ in frames if "rxn7" in name]
    images = list(Structures([path], path_images=True).since(4))
    assert [image.name for image in images[:2]] == ["CH4O/rxn0/path/1", "CH4O/rxn0/path/2"]
    np.testing.assert_array_equal(
        images[1].positions, next(a for name, a, _ in frames if name == "CH4O/rxn0/reactant").positions
    )
    other = next(Structures([path], energy="other.energy").since()).energy
    assert other == frames[0][2] + 1
    with pytest.raises(
        E3DError, match=r"has no 'nothing'; energies there: other.energy, wB97x_6-31G\(d\).energy"
    ):
        next(Structures([path], energy="nothing").since())
    with pytest.raises(
        E3DError, match=r"no 'train' .Transition1x.; for Transition1x choose a part with --part"
    ):
        next(Structures([path], part="train").since())
    spice, frames = spice_file(tmp_path / "s.h5")
    one = next(Structures([spice], energy="formation_energy").since())
    assert one.energy == pytest.approx(frames[0][2] + 39 * Hartree, abs=1e-9)


def chosen(structures: Structures, start: int, every: int, limit: int | None = None) -> list[tuple[int, str]]:
    return [(k, structure.name) for k, structure in Selection(structures, start, every, limit)]


def test_each_nth_structure(tmp_path: Path) -> None:
    path, frames = spice_file(tmp_path / "s.h5")
    names = [name for name, _, _ in frames]
    for every in (1, 2, 4, 9):
        numbers = range(0, len(names), every)
        for start in range(len(names) + 1):
            rest = [(k, names[k]) for k in numbers if k >= start]
            before = len(numbers) - len(rest)
            assert chosen(Structures([path]), start, every) == rest
            for limit in (1, 2, 3):  # of all, not of those that are left
                assert chosen(Structures([path]), start, every, limit) == rest[: max(limit - before, 0)]
    path, frames = transition1x_file(tmp_path / "t.h5")
    names = [name for name, _, _ in frames]
    two = Structures([path])
    assert chosen(two, 0, 2) == [(k, names[k]) for k in (0, 1, 2, 6, 7, 8)]  # whole reactions
    assert chosen(two, 2, 2, 4) == [(k, names[k]) for k in (2, 6)]
    images = Structures([path], path_images=True)
    assert [k for k, _ in chosen(images, 0, 2)] == [0, 2, 4, 6, 8]


def test_every_goes_on_and_has_a_limit(
    tmp_path: Path, model_files, capsys: pytest.CaptureFixture[str]
) -> None:
    path, frames = spice_file(tmp_path / "s.h5")
    out = tmp_path / "e.h5"
    words = (model_files("allegro-everything"), path, "-o", out, "--device", "cpu")
    for limit, steps in ((1, [0]), (2, [0, 2]), (2, [0, 2]), (9, [0, 2, 4])):
        assert evaluate(*words, "--every", 2, "--limit", limit) == 0
        reader = StoreReader(out)
        assert reader.steps.tolist() == steps
        assert list(reader.values("name")) == [frames[k][0] for k in steps]
        reader.close()
    assert "left out" not in capsys.readouterr().err
    assert evaluate(*words, "--every", 3) == 2  # another request
    assert "was made by another request" in capsys.readouterr().err
    assert evaluate(*words, "--every", 0) == 2
    assert "--every 0: expected a whole number of at least 1" in capsys.readouterr().err


def test_compressed_files_are_read_in_one_pass(xyz: Path, tmp_path: Path, monkeypatch) -> None:
    packed = tmp_path / "s.extxyz.gz"
    packed.write_bytes(gzip.compress(xyz.read_bytes()))
    (tmp_path / "bad.extxyz.gz").write_bytes(packed.read_bytes()[:-20])
    rewinds = []
    monkeypatch.setattr(gzip.GzipFile, "seek", lambda *words: rewinds.append(words))
    plain = list(Structures([xyz]).since(3))
    for one, other in zip(Structures([packed]).since(3), plain, strict=True):
        assert one.name == other.name.replace("extxyz", "extxyz.gz")
        np.testing.assert_array_equal(one.positions, other.positions)
    assert next(one.name for one in Structures([packed, xyz]).since(15)) == "s.extxyz/0"
    assert not rewinds
    with pytest.raises(E3DError, match=r"bad.extxyz.gz: it cannot be unpacked"):
        list(Structures([tmp_path / "bad.extxyz.gz"]).since())


def test_names_that_are_not_utf8(xyz: Path, tmp_path: Path, model_files) -> None:
    """Files of another code page: their names go into stores and tables as they can."""
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    path = folder / os.fsdecode(b"m\xff.extxyz")
    path.write_bytes(xyz.read_bytes())
    store, out = folder / "e.h5", folder / "out"
    assert evaluate(model_files("allegro-everything"), path, "-o", store, "--device", "cpu") == 0
    with StoreReader(store) as reader:
        assert list(reader.values("name")) == [rf"m\xff.extxyz/{k}" for k in range(15)]
    assert main(["analyze", str(store), "-o", str(out), "--cutoff", "model", "--skip-unpaired"]) == 0
    for name in ("map.e3d", "bonds.json", "pairs.json"):
        assert "caf" in (out / name).read_text(encoding="utf-8")


def test_starting_later_in_ase_files(tmp_path: Path) -> None:
    for name, n in (("a.extxyz", 3), ("b.xyz", 4)):
        ase.io.write(tmp_path / name, molecules(n))
    structures = Structures([tmp_path / "a.extxyz", tmp_path / "b.xyz"])
    names = [f"a.extxyz/{k}" for k in range(3)] + [f"b.xyz/{k}" for k in range(4)]
    for start in range(9):
        assert [structure.name for structure in structures.since(start)] == names[start:]
    assert structures.count() is None


def test_energies_that_ase_files_bring(tmp_path: Path) -> None:
    (tmp_path / "e.extxyz").write_text(
        '1\nProperties=species:S:1:pos:R:3 energy=-3.25 pbc="F F F"\nC 0 0 0\n'
        '1\nProperties=species:S:1:pos:R:3 pbc="F F F"\nC 0 0 0\n'
    )
    first, second = Structures([tmp_path / "e.extxyz"]).since()
    assert first.energy == -3.25 and np.isnan(second.energy)


def test_reference_forces(tmp_path: Path, model_files) -> None:
    """Forces of ASE files, minus the gradient of SPICE, forces of Transition1x; nan where there are none."""
    model = model_files("allegro-everything")
    rng = np.random.default_rng(8)
    spice, _ = spice_file(tmp_path / "spice.h5")
    reactions, _ = transition1x_file(tmp_path / "t.h5")
    with h5py.File(spice, "r+") as file:
        for group in file.values():
            group["dft_total_gradient"] = rng.normal(0, 1, group["conformations"].shape)
        gradient = file["mol_a/dft_total_gradient"][1]
    with h5py.File(reactions, "r+") as file:
        for end in ("reactant", "transition_state", "product"):
            for group in (file[f"data/{name}/{end}"] for name in ("CH4O/rxn0", "CH4O/rxn1", "C2H2/rxn7")):
                group["wB97x_6-31G(d).forces"] = rng.normal(0, 1, group["positions"].shape)
        force = file["data/CH4O/rxn0/transition_state/wB97x_6-31G(d).forces"][0]
    frames = molecules(3)[1:]
    frames[0].calc = SinglePointCalculator(frames[0], energy=-1.0, forces=rng.normal(0, 1, (2, 3)))
    ase.io.write(tmp_path / "s.extxyz", frames)
    with_forces = ("--forces", "--device", "cpu")
    kept = {}
    for name, path in (("spice", spice), ("t1x", reactions), ("ase", tmp_path / "s.extxyz")):
        assert evaluate(model, path, "-o", tmp_path / f"{name}_e.h5", *with_forces) == 0
        reader = StoreReader(tmp_path / f"{name}_e.h5")
        names = list(reader.values("name"))
        kept[name] = {n: reader.atoms(k).reference_force for k, n in enumerate(names)}
        want = {"spice": "dft_total_energy", "t1x": "wB97x_6-31G(d).energy", "ase": "energy"}[name]
        assert reader.provenance["reference_energy"] == want
    close("SPICE", kept["spice"]["mol_a/1"], -gradient * Hartree / Bohr, 1e-9)
    first = next(n for n in kept["t1x"] if n.endswith("rxn0/transition_state"))
    close("Transition1x", kept["t1x"][first], force, 1e-12)
    close("ASE", kept["ase"]["s.extxyz/0"], frames[0].calc.results["forces"], 1e-7)
    assert np.isnan(kept["ase"]["s.extxyz/1"]).all()
    words = (model, reactions, "-o", tmp_path / "other.h5", *with_forces, "--energy", "other.energy")
    assert evaluate(*words) == 0  # no forces belong to this energy
    assert StoreReader(tmp_path / "other.h5").atoms(0).reference_force is None
    assert evaluate(model, spice, "-o", tmp_path / "none.h5", "--device", "cpu") == 0
    assert StoreReader(tmp_path / "none.h5").atoms(0).reference_force is None


# ---- refusals


def test_unknown_elements(tmp_path: Path, model_files, capsys: pytest.CaptureFixture[str]) -> None:
    frames = molecules(6)
    frames[2].symbols[0] = "Si"
    frames[5].symbols[:] = "Xe"
    ase.io.write(tmp_path / "s.extxyz", frames)
    words = (model_files("allegro-plain"), tmp_path / "s.extxyz", "-o", tmp_path / "e.h5", "--device", "cpu")
    assert evaluate(*words) == 2
    said = capsys.readouterr().err
    assert "s.extxyz/2: the model knows H C O, not Si; add --skip-unknown" in said
    for _ in range(2):  # the second time, nothing is left to do, and the count is the same
        assert evaluate(*words, "--skip-unknown") == 0
        assert "2 structures with unknown elements left out" in capsys.readouterr().err
        assert list(StoreReader(tmp_path / "e.h5").steps) == [0, 1, 3, 4]


@pytest.mark.parametrize("output", ["energy", "edge_energy", "edge_forces"])
def test_every_output_has_to_be_a_number(
    output: str, tmp_path: Path, model_files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a model that returns NaN for one edge or atom of the second structure of a batch."""
    (tmp_path / "s.xyz").write_text("2\n\nC 0 0 0\nH 1 0 0\n3\n\nC 0 0 0\nH 1 0 0\nH 2 0 0\n")
    evaluator = EdgeEvaluator(model_files("allegro-plain", "safetensors"))
    good = evaluator._evaluator

    class Spoilt:
        def evaluate(self, *arguments: object) -> EdgeEnergies:
            found = good.evaluate(*arguments)
            getattr(found, output)[-1] = np.inf
            return found

    monkeypatch.setattr(evaluator, "_evaluator", Spoilt())
    structures = Selection(Structures([tmp_path / "s.xyz"]))
    with pytest.raises(E3DError, match=r"s.xyz/1: atom 3: the model returned .* that is not a number"):
        list(evaluate_structures(evaluator, structures, forces=True))


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_atoms_at_one_place(
    ending: str, tmp_path: Path, model_files, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "same.xyz").write_text("2\n\nC 0 0 0\nH 1 0 0\n3\n\nC 0 0 0\nH 1 0 0\nH 1 0 0\n")
    model = model_files("allegro-plain", ending)
    assert evaluate(model, tmp_path / "same.xyz", "-o", tmp_path / "e.h5", "--device", "cpu") == 2
    assert "same.xyz/1: atom 2: another atom is at the same place" in capsys.readouterr().err


def test_bad_input(tmp_path: Path, model_files, capsys: pytest.CaptureFixture[str]) -> None:
    model = model_files("allegro-plain")
    out = ("-o", tmp_path / "e.h5", "--device", "cpu")

    def said(*words: object) -> str:
        assert evaluate(*words) == 2
        return capsys.readouterr().err

    assert "no such file; expected structures" in said(model, tmp_path / "nothing.xyz", *out)
    (tmp_path / "bad.xyz").write_text("3\n\nC 0 0 0\n")
    assert "ASE cannot read it" in said(model, tmp_path / "bad.xyz", *out)
    (tmp_path / "nan.xyz").write_text("2\n\nC 0 0 0\nH nan 0 0\n")
    assert "nan.xyz/0: positions that are not finite" in said(
        model, tmp_path / "nan.xyz", *out, "--overwrite"
    )
    (tmp_path / "flat.extxyz").write_text(
        '1\nProperties=species:S:1:pos:R:3 Lattice="5 0 0 0 5 0 0 0 0" pbc="T T T"\nC 0 0 0\n'
    )
    assert "periodic, but without a cell vector" in said(model, tmp_path / "flat.extxyz", *out, "--overwrite")
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x/y"] = 1
    assert "'x' is no group with atomic_numbers" in said(model, tmp_path / "other.h5", *out, "--overwrite")
    assert "--limit 0: expected" in said(model, tmp_path / "bad.xyz", *out, "--limit", 0)
    assert "--batch 0: expected" in said(model, tmp_path / "bad.xyz", *out, "--batch", 0)
    assert "--device gpu: expected auto" in said(model, tmp_path / "bad.xyz", *out, "--device", "gpu")
    compiled = model_files("allegro-everything", "pt2")
    words = (compiled, tmp_path / "bad.xyz", "-o", tmp_path / "e.h5", "--device", "cuda")
    assert "compiled for cpu, not for cuda; use the portable .nequip.pth" in said(*words)
    assert "no model file" in said(tmp_path / "m.nequip.pth", tmp_path / "bad.xyz", *out)


def test_a_killed_run_goes_on(tmp_path: Path, model_files) -> None:
    """SIGKILL in the middle; run again, the store is that of an undisturbed run."""
    ase.io.write(tmp_path / "s.extxyz", molecules(400))
    model = model_files("allegro-plain")
    words = ["evaluate", *map(str, (model, tmp_path / "s.extxyz", "-o", tmp_path / "e.h5"))]
    words += ["--device", "cpu", "--batch", "20"]
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from e3d_lmp.edges.store import writer\n"
        "writer.CHUNK_ROWS, writer.COMMIT_ROWS = 64, 200\n"
        f"from e3d_lmp.cli import main; sys.exit(main({words!r}))"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    end = time.monotonic() + 120
    while not (tmp_path / "e.h5.partial").exists() or not len(StoreReader(tmp_path / "e.h5.partial")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert 0 < len(StoreReader(tmp_path / "e.h5.partial")) < 400
    assert main(words) == 0
    words[words.index(str(tmp_path / "e.h5"))] = str(tmp_path / "w.h5")
    assert main(words) == 0
    killed, whole = StoreReader(tmp_path / "e.h5"), StoreReader(tmp_path / "w.h5")
    assert len(killed) == len(whole) == 400
    for one, other in zip(killed, whole, strict=True):
        assert one.step == other.step
        assert_close_frame(one, other)
    np.testing.assert_array_equal(killed.values("name"), whole.values("name"))
    close("energy", killed.values("energy"), whole.values("energy"), F64.total_energy)
