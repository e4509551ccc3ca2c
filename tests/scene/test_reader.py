"""Edge stores and dumps in OVITO: every bond, energy, vector and atom is that of the file."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import h5py
import numpy as np
import pytest

from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.errors import E3DError
from e3d_lmp.scene.bond_source import BondSource
from edge_frames import bonds_of, random_cell, take, write_dump
from ovito_frames import ELEMENTS, Snapshot, assert_same_bonds, chain, snapshot, write_atoms, write_store
from record_runs import write_record

pytest.importorskip(
    "ovito", reason="OVITO cannot be imported; type: pip install 'e3d-lmp[ovito]'", exc_type=ImportError
)
from ovito.io import import_file

from e3d_lmp.scene.reader import E3DReader

CUTOFF = 3.1


def snapshots(seed: int, triclinic: bool, small: bool, wrapped: bool = True) -> list[Snapshot]:
    rng = np.random.default_rng(seed)
    ends = (2.2, 3.4) if small else (7.0, 9.0)
    found = []
    for step in (0, 50, 200):
        cell = random_cell(rng, *ends, triclinic)
        found.append(snapshot(rng, 3 if small else 30, cell, CUTOFF, step, wrapped=wrapped))
    return found


@pytest.mark.parametrize("wrapped", [True, False], ids=["wrapped", "unwrapped"])
@pytest.mark.parametrize("small", [False, True], ids=["large", "many images"])
@pytest.mark.parametrize("triclinic", [False, True], ids=["orthogonal", "triclinic"])
def test_round_trip(tmp_path: Path, triclinic: bool, small: bool, wrapped: bool) -> None:
    given = snapshots(5, triclinic, small, wrapped)
    path = write_store(tmp_path / "e.h5", given)
    pipeline = import_file(str(path), cutoff=str(CUTOFF))
    assert pipeline.num_frames == len(given)
    for k, (frame, atoms) in enumerate(given):
        data = pipeline.compute(k)
        assert_same_bonds(data, frame, CUTOFF)
        assert data.attributes["Timestep"] == frame.step
        assert data.attributes["E3D.unpaired"] == 0
        particles = data.particles
        np.testing.assert_array_equal(particles.identifiers, atoms.id)
        np.testing.assert_array_equal(particles.positions, atoms.position)
        names = {each.id: each.name for each in particles.particle_types.types}
        assert [names[int(kind)] for kind in particles.particle_types] == list(atoms.element)
        np.testing.assert_allclose(np.asarray(data.cell)[:, :3], frame.box.cell.T)
        np.testing.assert_allclose(np.asarray(data.cell)[:, 3], frame.box.origin)
        assert tuple(data.cell.pbc) == (True, True, True)


def test_several_images_of_a_pair_are_there() -> None:
    """The small boxes above do test what they say."""
    for triclinic in (False, True):
        frames = [frame for frame, _ in snapshots(5, triclinic, True)]
        assert any((frame.i == frame.j).any() for frame in frames), "an atom and its own image"
        assert all(np.unique([frame.i, frame.j], axis=1).shape[1] < len(frame.i) for frame in frames)


def test_a_direction_without_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    given = [snapshot(rng, 20, random_cell(rng, 5.0, 6.0, False), CUTOFF, pbc=(True, False, True))]
    data = import_file(str(write_store(tmp_path / "e.h5", given)), cutoff=str(CUTOFF)).compute()
    assert tuple(data.cell.pbc) == (True, False, True)
    assert_same_bonds(data, given[0][0], CUTOFF)
    assert not np.asarray(data.particles.bonds.pbc_vectors)[:, 1].any()


def test_pairs_store(tmp_path: Path) -> None:
    given = snapshots(6, True, False)
    with StoreWriter(tmp_path / "p.h5", request={}, elements=ELEMENTS, atom_columns=("position",)) as writer:
        for frame, atoms in given:
            writer.append(bonds_of(frame, ELEMENTS), atoms)
    pipeline = import_file(str(tmp_path / "p.h5"), cutoff="2.5")
    for k, (frame, _) in enumerate(given):
        assert_same_bonds(pipeline.compute(k), frame, 2.5)


@pytest.mark.parametrize("kind", ["edges", "pairs"])
@pytest.mark.parametrize("ending", ["", ".gz"])
def test_dumps_of_edges_and_of_pairs(tmp_path: Path, kind: str, ending: str) -> None:
    given = snapshots(7, True, False)
    frames = [frame if kind == "edges" else bonds_of(frame, ELEMENTS) for frame, _ in given]
    edges = write_dump(tmp_path / f"edges.dump{ending}", frames)
    atoms = write_atoms(tmp_path / "atoms.dump", given)
    pipeline = import_file(str(edges), input_format=E3DReader, atoms=str(atoms), cutoff=str(CUTOFF))
    assert pipeline.num_frames == len(given)
    for k, (frame, rows) in enumerate(given):
        data = pipeline.compute(k)
        assert_same_bonds(data, frame, CUTOFF)
        np.testing.assert_allclose(data.particles.positions, rows.position, atol=1e-12)


@pytest.mark.parametrize("kind", ["edges", "pairs"])
def test_records_open_by_themselves(tmp_path: Path, kind: str) -> None:
    given = snapshots(7, True, False)
    frames = [frame if kind == "edges" else bonds_of(frame, ELEMENTS) for frame, _ in given]
    record = write_record(tmp_path / "r.json", [frames[:2], frames[2:]], writers=2)
    atoms = write_atoms(tmp_path / "atoms.dump", given)
    pipeline = import_file(str(record), atoms=str(atoms), cutoff=str(CUTOFF))
    assert pipeline.num_frames == len(given)
    for k, (frame, rows) in enumerate(given):
        data = pipeline.compute(k)
        assert_same_bonds(data, frame, CUTOFF)
        np.testing.assert_allclose(data.particles.positions, rows.position, atol=1e-12)
    with pytest.raises(Exception, match="name the dump of the atoms too"):
        import_file(str(record)).compute(0)


def test_sums_of_atoms(tmp_path: Path) -> None:
    given = snapshots(8, True, True)
    data = import_file(str(write_store(tmp_path / "e.h5", given)), cutoff=str(CUTOFF)).compute(0)
    bonds = data.particles.bonds
    half, uneven = np.zeros(data.particles.count), np.zeros(data.particles.count)
    for (a, b), D, A in zip(bonds.topology, bonds["D"], bonds["A"], strict=True):
        half[a] += D / 2
        half[b] += D / 2
        uneven[a] += abs(A)
        uneven[b] += abs(A)
    np.testing.assert_allclose(data.particles["Half Sum D"], half, atol=1e-12)
    np.testing.assert_allclose(data.particles["Sum Abs A"], uneven, atol=1e-12)
    assert np.isclose(half.sum(), np.asarray(bonds["D"]).sum())


def test_molecules_of_a_store_have_no_cell_and_a_name(tmp_path: Path) -> None:
    with StoreWriter(
        tmp_path / "e.h5",
        request={},
        elements=ELEMENTS,
        frame_columns=("name",),
        atom_columns=("position",),
    ) as writer:
        for k, energies in enumerate(([-4.0], [-3.0, -5.0, -6.0])):
            frame, atoms = chain(energies, step=k)
            writer.append(frame, atoms, name=f"molecule {k}")
    pipeline = import_file(str(tmp_path / "e.h5"))
    assert pipeline.num_frames == 2
    for k, count in enumerate((1, 3)):
        data = pipeline.compute(k)
        assert data.cell is None and data.particles.count == 2 * count and data.particles.bonds.count == count
        assert data.attributes["Name"] == f"molecule {k}"
    np.testing.assert_allclose(data.particles.bonds["D"], [-3.0, -5.0, -6.0])
    assert data.particles.bonds["Topology"].shape == (3, 2)


def test_frames_without_bonds(tmp_path: Path) -> None:
    (frame, atoms), *others = snapshots(9, False, False)
    path = write_store(tmp_path / "e.h5", [(take(frame, np.arange(0)), atoms), *others])
    pipeline = import_file(str(path), cutoff=str(CUTOFF))
    for _ in range(2):  # there and back again
        data = pipeline.compute(0)
        assert data.particles.count == 30 and data.particles.bonds.count == 0
        assert not np.asarray(data.particles["Half Sum D"]).any()
        assert_same_bonds(pipeline.compute(1), others[0][0], CUTOFF)


def test_edges_without_a_partner_are_counted(tmp_path: Path) -> None:
    (frame, atoms), *_ = snapshots(10, False, False)
    rows = np.arange(len(frame.i))
    path = write_store(tmp_path / "e.h5", [(take(frame, rows[:-2]), atoms)])
    data = import_file(str(path), cutoff=str(CUTOFF)).compute()
    lost = 1 if {*map(int, (frame.i[-1], frame.j[-1]))} == {*map(int, (frame.i[-2], frame.j[-2]))} else 2
    expected = len(frame.i) // 2 - lost
    assert data.particles.bonds.count == expected
    assert data.attributes["E3D.unpaired"] == (2 if lost == 2 else 0)


def test_an_edge_that_occurs_twice_is_an_error(tmp_path: Path) -> None:
    (frame, atoms), *_ = snapshots(11, False, False)
    rows = np.append(np.arange(len(frame.i)), 3)
    path = write_store(tmp_path / "e.h5", [(take(frame, rows), atoms)])
    with pytest.raises(E3DError, match="occurs more than once"):
        import_file(str(path), cutoff=str(CUTOFF))


def test_thousands_of_frames_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 5000
    path = write_store(tmp_path / "e.h5", [chain([-4.0 - 1e-4 * k], step=10 * k) for k in range(count)])
    read = []
    frames_of = StoreReader._frames_of
    monkeypatch.setattr(
        StoreReader, "_frames_of", lambda self, block: (read.extend(block), frames_of(self, block))[1]
    )
    pipeline = import_file(str(path))
    assert pipeline.num_frames == count
    assert set(read) <= {0}, "opening reads no more than the first frame"
    data = pipeline.compute(4321)
    assert set(read) <= {0, 4321}
    assert data.attributes["Timestep"] == 43210
    np.testing.assert_allclose(data.particles.bonds["D"], [-4.4321])


def test_a_growing_store(tmp_path: Path) -> None:
    """A store that is being written is read up to its last whole frame, and so is what a writer left."""
    writer = StoreWriter(tmp_path / "e.h5", request={}, elements=ELEMENTS, atom_columns=("position",))
    for k in range(3):
        writer.append(*chain([-4.0 - k], step=k))
    writer.flush()
    partial = str(tmp_path / "e.h5.partial")
    code = f"""if True:
        from ovito.io import import_file
        pipeline = import_file({partial!r})
        assert pipeline.num_frames == 3 and pipeline.compute(2).particles.bonds['D'][0] == -6.0
    """
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    writer.close()
    assert E3DReader.detect(partial)
    assert import_file(partial).num_frames == 3


def test_bond_orders(tmp_path: Path) -> None:
    pytest.importorskip("rdkit")
    from ase.build import molecule

    from e3d_lmp.edges.frames import AtomRows, EdgeFrame

    atoms = molecule("C6H6")
    kinds = np.array([ELEMENTS.index(symbol) + 1 for symbol in atoms.get_chemical_symbols()], dtype=np.int32)
    vec = atoms.positions[None, :] - atoms.positions[:, None]
    distance = np.linalg.norm(vec, axis=2)
    i, j = np.nonzero((distance > 0.1) & (distance < 1.6))
    ends = (kinds[i], kinds[j])
    box = chain([-1.0])[0].box
    frame = EdgeFrame(0, box, i + 1, j + 1, *ends, vec[i, j], np.full(len(i), -2.0))
    rows = AtomRows(np.arange(1, 13), kinds, np.array(ELEMENTS)[kinds - 1], atoms.positions)
    path = write_store(tmp_path / "e.h5", [(frame, rows)])
    bonds = import_file(str(path), bond_orders=True).compute().particles.bonds
    names = {each.id: each.name for each in bonds.bond_types.types}
    orders = {
        (names[int(k)], float(order)) for k, order in zip(bonds.bond_types, bonds["Bond Order"], strict=True)
    }
    assert bonds.count == 12 and orders == {("C-C", 1.5), ("C-H", 1.0)}
    assert "Bond Order" not in import_file(str(path)).compute().particles.bonds


def test_entry_points() -> None:
    (reader,) = [each for each in entry_points(group="OVITO.FileReader") if each.dist.name == "e3d-lmp"]
    assert reader.load() is E3DReader


def test_other_hdf5_files_are_not_claimed(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "spice.hdf5", "w") as file:
        file["molecule/atomic_numbers"] = np.array([6, 1, 1, 1, 1])
        file["molecule/conformations"] = np.zeros((1, 5, 3))
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))
    (tmp_path / "text").write_text("ITEM: TIMESTEP\n")
    for name in ("spice.hdf5", "cut.h5", "text"):
        assert not E3DReader.detect(str(tmp_path / name)), name
    with pytest.raises(RuntimeError, match="format"):
        import_file(str(tmp_path / "spice.hdf5"))


def test_a_newer_store_is_claimed_and_refused_by_name(tmp_path: Path) -> None:
    path = write_store(tmp_path / "e.h5", [chain([-4.0])])
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "e3d-edges/7"
    assert E3DReader.detect(str(path))
    with pytest.raises(E3DError, match="e3d-edges/7"):
        import_file(str(path))


def test_a_store_without_positions_says_what_to_do(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "e.h5", request={}, elements=ELEMENTS) as writer:
        writer.append(chain([-4.0])[0])
    with pytest.raises(E3DError, match=r"make a store again with 'e3d convert \.\.\. --atoms DUMP'"):
        import_file(str(tmp_path / "e.h5"))


def test_missing_columns_and_unknown_elements(tmp_path: Path) -> None:
    given = snapshots(12, False, False)
    frames = [frame for frame, _ in given]
    names = ("tag1", "tag2", "type1", "type2", "dist", "dx", "dy", "dz")
    edges = write_dump(tmp_path / "edges.dump", frames, columns=names)
    with pytest.raises(E3DError, match="no column eps"):
        BondSource(edges, elements=ELEMENTS)
    edges = write_dump(tmp_path / "whole.dump", frames)
    with pytest.raises(E3DError, match="name the element of each type in order"):
        BondSource(edges)
    atoms = write_atoms(tmp_path / "atoms.dump", given, "id type x y z")
    with pytest.raises(E3DError, match="name the element of each type in order"):
        BondSource(edges, atoms=atoms)
    assert BondSource(edges, atoms=atoms, elements=ELEMENTS).labels[0] == "C-C"
    late = write_atoms(tmp_path / "late.dump", given[1:])
    with pytest.raises(E3DError, match="no frame of step 0"):
        BondSource(edges, atoms=late)
    store = write_store(tmp_path / "e.h5", given)
    with pytest.raises(E3DError, match="has its own atoms"):
        BondSource(store, atoms=atoms)


def test_the_temporary_store_of_a_dump_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gc
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    edges = write_dump(tmp_path / "edges.dump", [snapshots(13, False, False)[0][0]])
    source = BondSource(edges, elements=ELEMENTS)
    assert len(list(tmp_path.glob("e3d-scene-*"))) == 1
    source.pairs(0)
    del source
    gc.collect()
    assert not list(tmp_path.glob("e3d-scene-*"))
