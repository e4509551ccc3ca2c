"""`E3DBonds` in any pipeline: bonds by identifier, filters, colours, widths, sums and messages."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.colours import ColourScale, fitted_scale, table, tick_distance, widths
from edge_frames import bonds_of, random_cell, write_dump
from ovito_frames import ELEMENTS, Snapshot, assert_same_bonds, chain, snapshot, write_atoms, write_store

pytest.importorskip(
    "ovito", reason="OVITO cannot be imported; type: pip install 'e3d-lmp[ovito]'", exc_type=ImportError
)
from ovito.io import import_file
from ovito.modifiers import DeleteSelectedModifier, ExpressionSelectionModifier

from e3d_lmp.scene.modifier import E3DBonds

CUTOFF = 3.1


def open_atoms(path: Path, n_frames: int = 3) -> Any:
    """A pipeline of a dump of atoms, read by OVITO's own reader.

    Once a picture was drawn in this process, OVITO 3.17 at times sees the first frame only: try again then.
    """
    for _ in range(100):
        pipeline = import_file(str(path))
        last = pipeline.compute(n_frames - 1).attributes["SourceFrame"]
        if (pipeline.num_frames, last) == (n_frames, n_frames - 1):
            return pipeline
    raise AssertionError(f"{path}: OVITO does not see its {n_frames} frames")


@pytest.fixture
def given() -> list[Snapshot]:
    rng = np.random.default_rng(21)
    return [
        snapshot(rng, 25, random_cell(rng, 6.0, 8.0, True), CUTOFF, step, wrapped=step == 0)
        for step in (0, 10, 20)
    ]


@pytest.mark.parametrize("kind", ["store", "edges dump", "pairs dump"])
def test_bonds_for_a_dump_of_atoms(tmp_path: Path, given: list[Snapshot], kind: str) -> None:
    atoms = write_atoms(tmp_path / "atoms.dump", given)
    if kind == "store":  # without positions: those of the pipeline count
        source = tmp_path / "e.h5"
        with StoreWriter(source, request={}, elements=ELEMENTS) as writer:
            for frame, _ in given:
                writer.append(frame)
    else:
        frames = [frame if kind == "edges dump" else bonds_of(frame, ELEMENTS) for frame, _ in given]
        source = write_dump(tmp_path / "local.dump", frames)
    pipeline = open_atoms(atoms)
    modifier = E3DBonds(source=str(source), cutoff=str(CUTOFF), types=" ".join(ELEMENTS))
    pipeline.modifiers.append(modifier)
    for k in (2, 0, 1):
        data = pipeline.compute(k)
        assert (pipeline.num_frames, data.attributes["Timestep"]) == (len(given), given[k][0].step)
        assert_same_bonds(data, given[k][0], CUTOFF)
        half = np.asarray(data.particles["Half Sum D"]).sum()
        assert np.isclose(half, np.asarray(data.particles.bonds["D"]).sum())
    modifier.cutoff = "2.0"
    assert_same_bonds(pipeline.compute(1), given[1][0], 2.0)


def test_elements_are_those_of_the_particle_types(tmp_path: Path, given: list[Snapshot]) -> None:
    source = write_dump(tmp_path / "local.dump", [frame for frame, _ in given])
    pipeline = open_atoms(write_atoms(tmp_path / "atoms.dump", given))  # with a column 'element'
    pipeline.modifiers.append(E3DBonds(source=str(source), cutoff=str(CUTOFF)))
    assert_same_bonds(pipeline.compute(1), given[1][0], CUTOFF)


def test_atoms_that_were_deleted_have_no_bonds(tmp_path: Path, given: list[Snapshot]) -> None:
    source = write_store(tmp_path / "e.h5", given)
    pipeline = open_atoms(write_atoms(tmp_path / "atoms.dump", given))
    frame, atoms = given[0]
    gone = int(atoms.id[3])
    pipeline.modifiers.append(ExpressionSelectionModifier(expression=f"ParticleIdentifier == {gone}"))
    pipeline.modifiers.append(DeleteSelectedModifier())
    pipeline.modifiers.append(E3DBonds(source=str(source), cutoff=str(CUTOFF)))
    bonds = pipeline.compute(0).particles.bonds
    there = (frame.i != gone) & (frame.j != gone)
    assert bonds.count == np.count_nonzero(there) // 2 < len(frame.i) // 2


def test_filters(tmp_path: Path) -> None:
    D = np.array([-8.0, -6.0, -4.0, -2.0, -0.5])
    frame, atoms = chain(D)
    kinds = atoms.type
    kinds[:4] = 2  # the first two dimers are of H
    for name, ids in (("type_i", frame.i), ("type_j", frame.j)):
        getattr(frame, name)[:] = kinds[ids - 1]
    path = write_store(tmp_path / "e.h5", [(frame, atoms)])
    pipeline = import_file(str(path), cutoff="2.0")
    modifier = E3DBonds()
    pipeline.modifiers.append(modifier)

    def shown() -> list[float]:
        return sorted(pipeline.compute().particles.bonds["D"])

    assert shown() == sorted(D)
    modifier.d_min, modifier.d_max = -6.0, -2.0
    assert shown() == [-6.0, -4.0, -2.0]
    modifier.pairs = "H-H"
    assert shown() == [-6.0]
    modifier.pairs = "C-C, H-H"
    assert shown() == [-6.0, -4.0, -2.0]
    modifier.d_min = modifier.d_max = 1.0
    assert shown() == []
    half = np.asarray(pipeline.compute().particles["Half Sum D"])
    np.testing.assert_allclose(half, np.repeat(D / 2, 2)), "filters hide bonds and change no sum"
    modifier.pairs = "C-Xx"
    with pytest.raises(E3DError, match="pair 'C-Xx': expected two of the elements C N O H"):
        pipeline.compute()


@pytest.mark.parametrize("quantity", ["D", "|A|"])
def test_colours_and_widths(tmp_path: Path, quantity: str) -> None:
    from matplotlib import colormaps

    D, A = np.linspace(-9.0, -1.0, 9), np.linspace(-2.0, 1.1, 9)
    pipeline = import_file(str(write_store(tmp_path / "e.h5", [chain(D, A)])))
    low, high = (-9.0, -1.0) if quantity == "D" else (0.0, 2.0)
    modifier = E3DBonds(colour_by=quantity, low=low, high=high, width=0.5, width_by=quantity)
    pipeline.modifiers.append(modifier)
    data = pipeline.compute()
    bonds = data.particles.bonds
    values = np.asarray(bonds["D"]) if quantity == "D" else np.abs(bonds["A"])
    share = (values - low) / (high - low)
    expected = colormaps["viridis"](share) if quantity == "D" else colormaps["magma_r"](0.12 + 0.8 * share)
    np.testing.assert_allclose(bonds["Color"], expected[:, :3], atol=0.01)
    width = np.asarray(bonds["Width"])
    strongest = np.argmin(values) if quantity == "D" else np.argmax(values)
    assert width.argmax() == strongest and np.isclose(width.max(), 0.5)
    order = np.argsort(values)
    assert (np.diff(width[order]) < 0).all() if quantity == "D" else (np.diff(width[order]) > 0).all()
    assert (data.attributes["E3D.low"], data.attributes["E3D.high"]) == (low, high)


def test_no_colours_where_none_are_wanted(tmp_path: Path) -> None:
    pipeline = import_file(str(write_store(tmp_path / "e.h5", [chain([-4.0])])))
    modifier = E3DBonds(colour_by="none", width=0.7)
    pipeline.modifiers.append(modifier)
    bonds = pipeline.compute().particles.bonds
    assert "Color" not in bonds and "Width" not in bonds and bonds.vis.width == 0.7
    with pytest.raises(E3DError, match="set colour_by to D"):
        modifier.legend()


def test_legend_has_the_colours_of_the_bonds() -> None:
    modifier = E3DBonds()
    with pytest.raises(E3DError, match="set low and high"):
        modifier.legend()
    modifier.low, modifier.high = -7.5, -2.5
    legend = modifier.legend(legend_size=0.5)
    assert (legend.modifier.start_value, legend.modifier.end_value) == (-7.5, -2.5)
    assert legend.caption == "D (eV)" and legend.legend_size == 0.5


def test_scales() -> None:
    rng = np.random.default_rng(4)
    scale = fitted_scale("D", [rng.uniform(-8.4, -3.3, 500), np.array([-3.2])])
    assert (scale.low, scale.high) == (-9.0, -3.0)
    uneven = fitted_scale("|A|", [rng.uniform(0.3, 1.7, 500)])
    assert uneven.low == 0.0 and 1.6 < uneven.high <= 2.0
    for each in (
        fitted_scale("D", []),
        fitted_scale("D", [np.full(3, -4.0)]),
        fitted_scale("|A|", [np.zeros(2)]),
    ):
        assert each.low < each.high
    np.testing.assert_allclose(scale.colours([-20.0, -9.0, -3.0, 5.0]), table("D")[[0, 0, -1, -1]])
    assert [tick_distance(span) for span in (6.0, 1.8, 9.0, 100.0, 0.1)] == [1.0, 0.2, 2.0, 20.0, 0.02]
    assert widths("D", np.array([-9.0, 0.0]), np.zeros(2), -9.0, 0.0, 1.0).tolist() == [1.0, 0.35]
    with pytest.raises(E3DError, match="expected LOW < HIGH"):
        ColourScale("D", 1.0, -1.0)
    with pytest.raises(E3DError, match="expected one of: D, "):
        ColourScale("B", 0.0, 1.0)


def test_what_it_says(tmp_path: Path, given: list[Snapshot]) -> None:
    atoms = write_atoms(tmp_path / "atoms.dump", given)
    source = write_store(tmp_path / "e.h5", given[:2])

    def message(pipeline_atoms: Path, frame: int = 0, **settings: object) -> str:
        pipeline = open_atoms(pipeline_atoms)
        pipeline.modifiers.append(E3DBonds(**{"source": str(source), "cutoff": str(CUTOFF)} | settings))
        with pytest.raises(E3DError) as caught:
            pipeline.compute(frame)
        return str(caught.value)

    assert "no edges of step 20; expected one of its 2 steps" in message(atoms, frame=2)
    assert "set 'source' to an edge store" in message(atoms, source="")
    assert "no such file" in message(atoms, source=str(tmp_path / "none.h5"))
    nameless = write_atoms(tmp_path / "nameless.dump", given, "type element x y z")
    assert "dump the atoms with 'id'" in message(nameless)
    moved = [
        (frame, type(rows)(rows.id, rows.type, rows.element, rows.position[::-1])) for frame, rows in given
    ]
    assert "off the positions of its atoms" in message(write_atoms(tmp_path / "moved.dump", moved))
    assert "expected 'model', 'covalent'" in message(atoms, cutoff="long")
    unnamed = write_atoms(tmp_path / "unnamed.dump", given, "id type x y z")
    local = write_dump(tmp_path / "local.dump", [frame for frame, _ in given])
    assert "name the element of each type" in message(unnamed, source=str(local))


def test_entry_points() -> None:
    (modifier,) = [each for each in entry_points(group="OVITO.Modifier") if each.dist.name == "e3d-lmp"]
    assert modifier.load() is E3DBonds
