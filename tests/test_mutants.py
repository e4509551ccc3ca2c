"""Damaged files of every format: the right result or one line, never a traceback, a crash, a hang, or memory.

``E3D_MUTANTS=full python -m pytest tests/test_mutants.py`` takes 20,000 dumps, 700 stores and 500 files of
every other format; ``E3D_SEED=N`` begins at another seed. The default is for every day.
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from analysis_folders import some_map, write_folder
from e3d_lmp.analysis.bonds.files import read_bond_energies
from e3d_lmp.analysis.dissociation.reference import read_references
from e3d_lmp.analysis.events import read_events
from e3d_lmp.analysis.folders import AnalysisFolder
from e3d_lmp.analysis.heat.current import read_current
from e3d_lmp.analysis.heat.spectrum import read_correlations
from e3d_lmp.analysis.maps import read_map, write_map
from e3d_lmp.analysis.species import read_species
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.dumps.reader import DumpReader
from e3d_lmp.edges.records.reader import RecordReader
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.errors import E3DError
from e3d_lmp.model.contract import describe, read_metadata
from e3d_lmp.model.engine import EdgeEnergies, EngineModel, Evaluator
from e3d_lmp.runs.campaign import read_campaign
from e3d_lmp.runs.machines import load_machines
from e3d_lmp.training.data.recipe import read_recipe
from edge_frames import write_dump
from heat_files import write_current
from job_runs import write_input
from lammps_runs import ROOT
from mutants import hunt
from record_runs import write_record
from store_frames import REQUEST, some_frames

FULL = os.environ.get("E3D_MUTANTS") == "full"
SEED = int(os.environ.get("E3D_SEED", "0"))

Make = Callable[[Path], Path]
Read = Callable[[Path], None]

EVENTS = """e3d-bonds/1
criterion energy
cutoff covalent
units metal
form C-H -3.5
break C-H -1
form O-H -4
break O-H -1.25
columns step id1 id2 type1 type2 label D A r event
10 7 9 1 2 C-H -0.25 0.5 1.9 broken
10 3 12 3 2 O-H -4.61 0.1 1.01 formed
25 3 12 3 2 O-H nan nan nan broken
40 7 9 1 2 C-H -4.55 1 1.1 formed
40 7 8 1 2 C-H -4.57 1 1.1 formed
"""
SPECIES = """e3d-species/1
columns step molecules species formulas...
0 15 2 C2H6O:12 H2O:3
100 15 3 C2H6O:11 H2O:3 C2H5O:1
200 16 3 C2H6O:11 H2O:4 H:1
"""
REFERENCES = "structure,i,j,energy_eV\nethane,0,1,3.9\nethane,0,2,4.4\nwater,0,1,5.1\n"
CAMPAIGN = """input: in.hot
variables:
  temp: [300, 600]
  seed: [1, 2]
  steps: 300
replicas: [seed]
ranks_per_node: 1
at_once: 2
"""
RECIPE = """elements: [H, C]
r_max: 5.2
fractions: {val: 0.1, test: 0.1}
sources:
  - file: a.h5
    layout: spice
    level: A
    charges: [0, -1]
    frames: {x: {train: 3, test: all}, "*": {train: 1, split: frames}}
"""
MACHINES = """lab:
  like: slurm
  title: a cluster of mine
  cores: 48
  gpus: 2
  reserved_cores: 4
"""


def text(name: str, content: str) -> Make:
    """A file of this text."""

    def make(folder: Path) -> Path:
        (folder / name).write_text(content)
        return folder / name

    return make


# ---- what is damaged


def a_dump(folder: Path) -> Path:
    return write_dump(folder / "edges.dump", some_frames(3))


def a_packed_dump(folder: Path) -> Path:
    path = folder / "edges.dump.gz"
    path.write_bytes(gzip.compress(a_dump(folder).read_bytes()))
    return path


def a_store(folder: Path) -> Path:
    with StoreWriter(folder / "e.h5", request=REQUEST, elements=("C", "H")) as writer:
        for frame in some_frames(4):
            writer.append(frame)
    return folder / "e.h5"


def a_map(folder: Path) -> Path:
    write_map(some_map(n=60), folder / "map.e3d")
    return folder / "map.e3d"


def a_current(folder: Path) -> Path:
    return write_current(folder / "current.txt", np.random.default_rng(1).normal(size=(40, 3)))


def a_spectrum(folder: Path) -> Path:
    head = "# e3d-shc/1\n# units metal\n# interval 10\n# volume 1000\n# temperature 300\n# direction 1 0 0\n"
    head += "# force 0 0 1e-4\n# steps 1 2\n# samples 5\n# blocks 2\n# columns: lag\n"
    rows = np.column_stack([10 * np.arange(-9, 10), np.random.default_rng(2).normal(size=(19, 4))])
    lines = [" ".join(f"{x:.17g}" for x in row) for row in rows]
    return text("shc.txt", head + "\n".join(lines) + "\n")(folder)


def results(name: str) -> Make:
    """A file of a folder of ``e3d analyze``, the others beside it."""
    return lambda folder: write_folder(folder / "results") / name


def a_record(name: str) -> Make:
    """A file of a record, the others beside it."""

    def make(folder: Path) -> Path:
        write_record(folder / "r.json", [some_frames(3)])
        return next(iter(sorted(folder.glob(name))))

    return make


def a_campaign(folder: Path) -> Path:
    write_input(folder, ROOT / "inputs/models/organic-small.safetensors")
    return text("campaign.yaml", CAMPAIGN)(folder)


def a_recipe(folder: Path) -> Path:
    (folder / "a.h5").touch()
    return text("recipe.yaml", RECIPE)(folder)


def a_shipped_model(folder: Path) -> Path:
    path = folder / "model.safetensors"
    path.write_bytes((ROOT / "inputs/models/organic-small.safetensors").read_bytes())
    return path


# ---- how it is read


def dump(path: Path) -> None:
    for frame in DumpReader(path):
        assert np.isfinite(frame.eps).all() and np.isfinite(frame.vec).all()
        assert frame.step >= 0 and (frame.i > 0).all() and (frame.type_i > 0).all()
        types = dict(zip(frame.i.tolist(), frame.type_i.tolist(), strict=True))
        assert all(types.get(j, t) == t for j, t in zip(frame.j.tolist(), frame.type_j.tolist(), strict=True))


def store(path: Path) -> None:
    with StoreReader(path) as reader:
        for frame in reader:
            assert np.isfinite(frame.eps).all() and np.isfinite(frame.vec).all()


def energy_map(path: Path) -> None:
    """What is read is written as it is, and every mean lies within its bins."""
    one = read_map(path)
    again = path.with_name("again.e3d")
    write_map(one, again)
    write_map(read_map(again), path.with_name("once_more.e3d"))
    assert again.read_text() == path.with_name("once_more.e3d").read_text()
    for label in one.labels.values():
        if label.count:
            d = label.bins[0]
            assert (d.min() - 1e-3) * one.width <= label.mean_D <= (d.max() + 1.001) * one.width


def events(path: Path) -> None:
    found = read_events(path)
    assert (np.isfinite(found.D) | (found.event == "broken")).all() and (np.diff(found.step) >= 0).all()


def species(path: Path) -> None:
    found = read_species(path)
    total = np.sum(list(found.formulas.values()), axis=0) if found.formulas else np.zeros(len(found.step))
    assert np.array_equal(total, found.molecules)


def current(path: Path) -> None:
    assert np.isfinite(read_current(path).current).all()


def record(path: Path) -> None:
    reader = RecordReader(next(iter(path.parent.glob("*.json"))))
    for frame in reader:
        assert np.isfinite(frame.vec).all()


def model(path: Path) -> None:
    """`e3d inspect`, and what is loaded gives numbers or says that it cannot."""
    describe(read_metadata(path))
    loaded = EngineModel(path)
    zero = np.zeros(2, dtype=np.int32)
    vectors = np.array([[1.1, 0, 0], [0, 1.5, 0.3]])
    found = Evaluator(loaded).evaluate(np.array([0, 2]), zero[:1], zero, vectors)
    assert isinstance(found, EdgeEnergies)


def metadata(path: Path) -> None:
    describe(read_metadata(path))


def errors(path: Path) -> None:
    AnalysisFolder(path.parent).errors()


def cutoffs(path: Path) -> None:
    parse_cutoff(["file", str(path)])


def only(read: Callable[[Path], object]) -> Read:
    """A reader that is called, whatever it gives."""
    return lambda path: read(path) and None


FORMATS: list[tuple[str, int, int, Make, Read]] = [
    # name, mutants of every day, of a full hunt, the file, its reader
    ("dump", 600, 20_000, a_dump, dump),
    ("packed dump", 60, 500, a_packed_dump, dump),
    ("edge store", 100, 700, a_store, store),
    ("map", 150, 500, a_map, energy_map),
    ("events", 150, 500, text("bonds.txt", EVENTS), events),
    ("species", 150, 500, text("species.txt", SPECIES), species),
    ("heat current", 100, 500, a_current, current),
    ("spectral current", 100, 500, a_spectrum, only(read_correlations)),
    ("bonds.json", 100, 500, results("bonds.json"), only(read_bond_energies)),
    ("errors.json", 60, 500, results("errors.json"), errors),
    ("record", 60, 500, a_record("r.json"), record),
    ("record's index", 60, 500, a_record("*frames.npy"), record),
    ("record's rows", 60, 500, a_record("*edges.npy"), record),
    ("references", 60, 500, text("r.csv", REFERENCES), only(read_references)),
    ("cutoffs", 60, 500, text("c", "C H 1.3\nC C 1.8\n# x\n"), cutoffs),
    ("campaign", 60, 500, a_campaign, only(read_campaign)),
    ("machines", 60, 500, text("machines.yaml", MACHINES), only(load_machines)),
    ("recipe", 60, 500, a_recipe, only(read_recipe)),
    ("weights", 100, 500, a_shipped_model, model),
]
IDS = [row[0] for row in FORMATS]


@pytest.mark.parametrize(("daily", "full", "make", "read"), [row[1:] for row in FORMATS], ids=IDS)
def test_mutants(daily: int, full: int, make: Make, read: Read, tmp_path: Path) -> None:
    original = make(tmp_path)
    read(original)
    count = full if FULL else daily
    found = hunt(read, original, count, SEED)
    assert not found.faults, f"{len(found.faults)} of {count}:\n" + "\n".join(found.faults[:20])
    assert found.read + found.refused == count


@pytest.mark.parametrize("ending", ["pth", "pt2"])
def test_mutants_of_torch(ending: str, tmp_path: Path, model_files) -> None:
    """What `e3d inspect` reads of them; torch is not asked."""
    original = tmp_path / f"m.nequip.{ending}"
    original.write_bytes(model_files("lj", ending).read_bytes())
    found = hunt(metadata, original, 500 if FULL else 60, SEED)
    assert not found.faults, "\n".join(found.faults[:20])


def test_a_reader_that_breaks_the_rule_is_found(tmp_path: Path) -> None:
    """A traceback, two lines, nonsense, a hang, too much memory, a crash."""
    (tmp_path / "f").write_text(json.dumps(list(range(50))))

    def two_lines(path: Path) -> None:
        raise E3DError("one\ntwo")

    def nonsense(path: Path) -> None:
        raise AssertionError("nonsense")

    def traceback(path: Path) -> None:
        json.loads("{")

    def memory(path: Path) -> None:
        bytearray(8 << 30)

    for read in (two_lines, nonsense, traceback, memory, lambda path: os.abort()):
        assert len(hunt(read, tmp_path / "f", 2).faults) == 2
    assert hunt(lambda path: None, tmp_path / "f", 5).read == 5
