"""``pair_style e3d committee K``: the spread of D, A and the force over several models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lammps_runs import Frame, forces_of, run_lammps, start_lammps, write_data
from systems import ELEMENTS, SYSTEMS
from tolerances import LADDER, close

LADDER64 = LADDER["float64"]
VALUES = "tag1 tag2 dx dy dz D A stdD stdA"

BODY = """
compute pairs all e3d/pair/local {values} cutoff model
dump pairs all local {every} pairs.dump c_pairs[*]
dump_modify pairs format float %.17g {titles}
compute spread all e3d/atom {atom_values}
dump atoms all custom {every} atoms.dump id fx fy fz c_spread[*]
dump_modify atoms format float %.17g sort id
timestep 0.0005
fix md all nve
{tail}
"""


def script(
    models: list[Path], values: str, atom_values: str, options: str = "", every: int = 4, tail: str = "run 8"
) -> str:
    """A short run that dumps pairs and atoms on multiples of `every`."""
    titles = " ".join(f"colname {k + 1} {word}" for k, word in enumerate(values.split()))
    body = BODY.format(values=values, titles=titles, atom_values=atom_values, every=every, tail=tail)
    return f"""
units metal
newton on
read_data data.lmp
pair_style e3d {options}
pair_coeff * * {" ".join(map(str, models))} {" ".join(ELEMENTS)}
neighbor 0.5 bin
neigh_modify every 1 delay 0 check yes
{body}
"""


def by_pair(frame: Frame) -> Frame:
    """Rows in an order that depends on the pairs alone."""
    keys = [np.round(frame[name] * 1e4) for name in ("dz", "dy", "dx", "tag2", "tag1")]
    order = np.lexsort(keys)
    return Frame(frame.step, {name: column[order] for name, column in frame.columns.items()})


@pytest.fixture
def two_models(model_files) -> list[Path]:
    """Two different models of the same types and cutoffs."""
    return [model_files(name, "safetensors", "float64") for name in ("allegro-plain", "allegro-spline")]


@pytest.mark.parametrize(
    ("endings", "dtype", "ranks", "chunk"),
    [
        (("safetensors", "safetensors"), "float64", 1, "chunk 7"),
        (("safetensors", "safetensors"), "float32", 2, ""),
        (("safetensors", "pth"), "float64", 3, ""),  # each engine has its own form of a chunk
        (("pth", "safetensors"), "float64", 1, "chunk 7"),
        (("pth", "pth"), "float64", 1, ""),
    ],
)
def test_spread_equals_that_of_single_runs(
    endings: tuple[str, str], dtype: str, ranks: int, chunk: str, tmp_path: Path, model_files
) -> None:
    """Standard deviations over both models, from runs of each model alone on the same structure."""
    names = ("allegro-plain", "allegro-spline")
    two_models = [model_files(name, ending, dtype) for name, ending in zip(names, endings, strict=True)]
    atoms = SYSTEMS["thin"]()
    alone: list[tuple[Frame, Frame]] = []
    for k, model in enumerate(two_models):
        folder = tmp_path / str(k)
        folder.mkdir()
        write_data(folder / "data.lmp", atoms, ELEMENTS)
        run = run_lammps(script([model], "tag1 tag2 dx dy dz D A", "energy bond", tail="run 0"), folder)
        alone.append((by_pair(run.dump("pairs.dump")[0]), run.dump("atoms.dump")[0]))

    write_data(tmp_path / "data.lmp", atoms, ELEMENTS)
    tail = """run 0
print '{"D": $(c_pairs:%.17g), "force": $(c_spread:%.17g)}' file result.json"""
    both = script(two_models, VALUES, "energy stdf", f"committee 4 {chunk}", tail=tail)
    both = both.replace("{tail}", "").replace(
        "fix md", "thermo_style custom step pe c_pairs c_spread\nfix md"
    )
    run = run_lammps(both, tmp_path, ranks)
    pairs, frame = by_pair(run.dump("pairs.dump")[0]), run.dump("atoms.dump")[0]

    close("D of the first model", pairs["D"], alone[0][0]["D"], LADDER64.edge_energy)
    close("forces of the first model", forces_of(frame), forces_of(alone[0][1]), LADDER64.force)
    for name, of in (("stdD", "D"), ("stdA", "A")):
        want = np.std([one[0][of] for one in alone], axis=0)
        assert want.max() > 1e-3
        close(name, pairs[name], want, LADDER64.edge_energy)
    both_forces = np.array([forces_of(one[1]) for one in alone])
    want = np.sqrt(((both_forces - both_forces.mean(axis=0)) ** 2).sum(axis=2).mean(axis=0))
    close("stdf", frame["c_spread[2]"], want, LADDER64.force)
    result = run.json()
    close("largest stdD", result["D"], pairs["stdD"].max(), 1e-12)
    close("largest stdf", result["force"], want.max(), LADDER64.force)


def test_same_model_twice_has_no_spread(tmp_path: Path, model_files) -> None:
    """Exactly zero on every committee step, and the trajectory of the single model."""
    model = model_files("allegro-plain", "safetensors", "float64")
    ends = []
    for name, models, options in (("one", [model], ""), ("two", [model, model, model], "committee 4")):
        folder = tmp_path / name
        folder.mkdir()
        write_data(folder / "data.lmp", SYSTEMS["box"](), ELEMENTS, velocities=True)
        values, per_atom = (VALUES, "energy stdf") if options else ("tag1 tag2 dx dy dz D A", "energy bond")
        run = run_lammps(script(models, values, per_atom, options), folder, 2)
        ends.append(run)
    for frame in ends[1].dump("pairs.dump"):
        assert len(frame) and np.all(frame["stdD"] == 0.0) and np.all(frame["stdA"] == 0.0)
    steps = [frame.step for frame in ends[1].dump("atoms.dump")]
    assert steps == [0, 4, 8]
    for one, two in zip(ends[0].dump("atoms.dump"), ends[1].dump("atoms.dump"), strict=True):
        assert np.all(two["c_spread[2]"] == 0.0)
        np.testing.assert_array_equal(forces_of(one), forces_of(two))


def test_first_and_last_steps_have_a_spread(tmp_path: Path, two_models: list[Path]) -> None:
    """Thermo prints the first and the last step of every run and minimisation, multiples of K or not."""
    write_data(tmp_path / "data.lmp", SYSTEMS["box"](), ELEMENTS)
    tail = """undump pairs
undump atoms
thermo 4
thermo_style custom step pe c_pairs c_spread
run 3
run 6
minimize 0.0 0.5 7 30"""
    run = run_lammps(script(two_models, VALUES, "energy stdf", "committee 4", tail=tail), tmp_path, 2)
    rows = [line.split() for line in run.output.splitlines() if len(line.split()) == 4]
    table = np.array([row for row in rows if row[0].isdigit() and "." in row[1]], dtype=float)
    assert table[:, 0].tolist()[:6] == [0, 3, 3, 4, 8, 9]
    assert np.all(table[:, 2:] > 0.0)


def test_settings_again_ask_for_models_again(tmp_path: Path, two_models: list[Path]) -> None:
    """A second pair_style line with another committee or device does not keep the old models in silence."""
    write_data(tmp_path / "data.lmp", SYSTEMS["box"](), ELEMENTS)
    for line, allowed in (("pair_style e3d chunk 7", True), ("pair_style e3d committee 2", False)):
        text = script(two_models[:1], "tag1 tag2", "energy bond", tail=f"{line}\nrun 0")
        run = start_lammps(text, tmp_path)
        assert (run.code == 0) == allowed
    assert "All pair coeffs are not set" in run.output


BAD = {
    "other step": (VALUES, "energy stdf", "committee 4", 2, 2, "on step 2 only the first model ran"),
    "atom on another step": ("tag1 tag2", "energy stdf", "committee 4", 2, 2, "on step 2 only the first"),
    "one model": (VALUES, "energy stdf", "committee 4", 4, 1, "at least two models"),
    "two models": (VALUES, "energy stdf", "", 4, 2, "one model type for each of the 3 atom types"),
    "zero": (VALUES, "energy stdf", "committee 0", 4, 2, "committee must be a positive number"),
    "too many": (VALUES, "energy stdf", "committee 4", 4, 38, "a committee has at most 37 models, not 38"),
    "other types": (
        VALUES,
        "energy stdf",
        "committee 4",
        4,
        3,
        "has other types, cutoffs or another decomposition",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, tmp_path: Path, two_models: list[Path], model_files) -> None:
    """Each stops all ranks and says what to type."""
    values, atom_values, options, every, n_models, message = BAD[name]
    models = [*two_models, model_files("allegro-cutoffs", "safetensors", "float64"), *two_models * 20][
        :n_models
    ]
    write_data(tmp_path / "data.lmp", SYSTEMS["box"](), ELEMENTS)
    run = start_lammps(script(models, values, atom_values, options, every), tmp_path, 2)
    assert run.code != 0
    assert message in run.output
