"""Bond types of the pairs of frames: known molecules, bonds that break and form, topologies, any ids."""

from __future__ import annotations

from collections import Counter

import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from e3d_lmp.analysis.bonds.orders import rdkit_orders
from e3d_lmp.analysis.bonds.types import BondTyping, read_topology
from e3d_lmp.edges.cutoffs import parse_cutoff
from e3d_lmp.edges.frames import Box, EdgeFrame
from e3d_lmp.edges.pairs import PairFrame, Pairing
from e3d_lmp.errors import E3DError
from edge_frames import molecule_frame

pytest.importorskip("rdkit", reason="no RDKit; type: pip install 'e3d-lmp[bonds]'")

ELEMENTS = ("C", "H", "N", "O")

KNOWN = {
    "C6H6": {"C-C 1.5": 6, "C-H 1": 6},
    "CH3CN": {"C-C 1": 1, "C-N 3": 1, "C-H 1": 3},
    "CO2": {"C-O 2": 2},
    "C2H6": {"C-C 1": 1, "C-H 1": 6},
    "NO2": {"N-O": 2},
}


def pairs_of(atoms: Atoms, cutoff: str = "covalent", ids: np.ndarray | None = None) -> PairFrame:
    bond = None if cutoff == "model" else parse_cutoff(cutoff).matrix(ELEMENTS)
    return Pairing(ELEMENTS, bond).pair(molecule_frame(atoms, ELEMENTS, ids))


def shifted(atoms: Atoms, by: list[float]) -> Atoms:
    return Atoms(atoms.symbols, atoms.positions + np.array(by))


def count(typing: BondTyping, pairs: PairFrame, bare: bool = False) -> Counter:
    return Counter(typing.names[k] for k in typing.types(pairs, bare))


@pytest.mark.parametrize("name", list(KNOWN))
@pytest.mark.parametrize("each_frame", [True, False])
def test_known_molecules(name: str, each_frame: bool) -> None:
    assert count(BondTyping(rdkit_orders, each_frame), pairs_of(molecule(name))) == KNOWN[name]


@pytest.mark.parametrize("cutoff", ["paper", "model", "2.6"])
def test_contacts_within_a_wide_cutoff_are_no_bonds(cutoff: str) -> None:
    """The 1,3 contacts of ethane are pairs of the type of their label; its bonds keep their order."""
    found = count(BondTyping(rdkit_orders), pairs_of(molecule("C2H6"), cutoff))
    assert {name: n for name, n in found.items() if " " in name} == KNOWN["C2H6"]
    assert found["C-H"] == 6


def test_transition_states_and_no_perception_give_labels() -> None:
    pairs = pairs_of(molecule("CH3CN"))
    for found in (count(BondTyping(rdkit_orders, True), pairs, bare=True), count(BondTyping(), pairs)):
        assert found == {"C-C": 1, "C-N": 1, "C-H": 3}


@pytest.mark.parametrize("offset", [0, 2**31, 2**40])
def test_a_run_in_which_bonds_break_and_form(offset: int) -> None:
    """Acetonitrile and CO2: an H leaves for the CO2 and comes back; ids with gaps, in any order."""
    both = molecule("CH3CN") + shifted(molecule("CO2"), [0, 0, 6.0])
    ids = offset + np.random.default_rng(3).permutation(np.arange(1, 5 * len(both), 5))
    typing = BondTyping(rdkit_orders)
    whole = {"C-C 1": 1, "C-N 3": 1, "C-H 1": 3, "C-O 2": 2}
    assert count(typing, pairs_of(both, ids=ids)) == whole
    moved = both.copy()
    h, o = both.symbols.indices()["H"][0], both.symbols.indices()["O"][0]
    moved.positions[h] = both.positions[o] + [0.97, 0, 0.0]
    assert count(typing, pairs_of(moved, ids=ids)) == {**whole, "C-H 1": 2, "O-H": 1}
    assert count(typing, pairs_of(both, ids=ids)) == whole
    each = BondTyping(rdkit_orders, each_frame=True)
    # Neither part has closed shells now: only the bonds of H have an order.
    assert count(each, pairs_of(moved, ids=ids)) == {"C-C": 1, "C-N": 1, "C-H 1": 2, "C-O": 2, "O-H 1": 1}


def test_equal_molecules_are_perceived_once() -> None:
    calls = []

    def perceive(elements, bonds, charge):
        calls.append(len(elements))
        return rdkit_orders(elements, bonds, charge)

    typing = BondTyping(perceive, each_frame=True)
    one = molecule("CH3CN")
    for k in range(5):
        many = sum((shifted(one, [9.0 * n, 0, 0]) for n in range(k + 2)), Atoms())
        assert count(typing, pairs_of(many))["C-N 3"] == k + 2
    assert calls == [6]


def test_a_crystal_bonded_to_its_own_image_has_no_orders() -> None:
    """A chain of CH with one C in the cell, beside a CO2 that keeps its orders."""
    forth = np.array([[1.5, 0, 0], [0, 0, 1.2], [0, 0, -1.2], [0, 1.1, 0]])
    vec = np.concatenate([forth, -forth])
    a, b = np.array([1, 2, 2, 1]), np.array([1, 3, 4, 5])
    i, j = np.concatenate([a, b]), np.concatenate([b, a])
    kind = np.array([0, 1, 1, 4, 4, 2], dtype=np.int32)
    frame = EdgeFrame(
        0, Box(np.eye(3) * 1.5, np.zeros(3), np.ones(3, bool)), i, j, kind[i], kind[j], vec, -np.ones(8)
    )
    found = count(BondTyping(rdkit_orders), Pairing(ELEMENTS).pair(frame))
    assert found == {"C-C": 1, "C-H": 1, "C-O 2": 2}


def test_atoms_that_the_first_frame_did_not_have() -> None:
    """Their ids lie between those of bonded atoms."""
    typing = BondTyping(rdkit_orders)
    one = molecule("CH3CN")
    assert count(typing, pairs_of(one, ids=np.arange(5, 35, 5)))["C-N 3"] == 1
    for offset in (-1, 1):
        later = pairs_of(one, ids=np.arange(5, 35, 5) + offset)
        assert count(typing, later) == {"C-C": 1, "C-N": 1, "C-H": 3}


def write_data(path, bonds: str = "Bonds\n\n1 1 30 10\n2 1 10 2000000005\n") -> None:
    n = bonds.count("\n") - 2 if bonds else 0
    path.write_text(
        f"CO2\n\n3 atoms\n2 atom types\n{n} bonds\n1 bond types\n\n0 9 xlo xhi\n0 9 ylo yhi\n0 9 zlo zhi\n\n"
        "Masses\n\n1 12.011\n2 15.999\n\nAtoms # full\n\n10 1 1 0 4 4 4\n30 1 2 0 5.2 4 4\n"
        f"2000000005 1 2 0 2.8 4 4\n\n{bonds}"
    )


def test_topology(tmp_path) -> None:
    """Bonds of a data file, whatever the first frame looks like."""
    write_data(tmp_path / "co2.data")
    topology = read_topology(tmp_path / "co2.data", ("C", "O"))
    far = molecule("CO2")
    far.positions[1] += [0, 0, 0.7]  # C-O 1.87 angstrom: no bond by the cutoff
    ids = np.array([10, 30, 2000000005])
    found = count(BondTyping(rdkit_orders, topology=topology), pairs_of(far, "2.2", ids))
    assert found == {"C-O 2": 2}
    assert count(BondTyping(rdkit_orders), pairs_of(far, "2.2", ids)) == {"C-O": 1, "C-O 3": 1}


def test_bad_topology(tmp_path) -> None:
    write_data(tmp_path / "bare.data", "")
    with pytest.raises(E3DError, match="no section Bonds"):
        read_topology(tmp_path / "bare.data", ("C", "O"))
    write_data(tmp_path / "co2.data")
    with pytest.raises(E3DError, match="atoms of type 2, but there are 1 elements"):
        read_topology(tmp_path / "co2.data", ("C",))
    ase.io.write(tmp_path / "x.xyz", molecule("CO2"))
    with pytest.raises(E3DError, match="ASE cannot read it"):
        read_topology(tmp_path / "x.xyz", ("C", "O"))
    with pytest.raises(E3DError, match="ASE cannot read it"):
        read_topology(tmp_path / "nothing.data", ("C", "O"))
