"""Bond cutoff grammar and the covalent radii behind it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from e3d_lmp.edges.cutoffs import BondCutoff, check_elements, covalent_radii, parse_cutoff
from e3d_lmp.errors import E3DError


def test_radii_are_those_of_cordero_from_h_to_cm():
    from ase.data import chemical_symbols
    from ase.data import covalent_radii as ase_radii  # the same source

    radii = covalent_radii()
    assert list(radii) == chemical_symbols[1:97]
    np.testing.assert_array_equal(list(radii.values()), ase_radii[1:97])


@pytest.mark.parametrize(
    ("words", "name", "c_h"),
    [
        ("covalent", "covalent", 1.3 * (0.76 + 0.31)),
        ("paper", "paper", 2.2),
        ("2.5", "2.5", 2.5),
        (3, "3.0", 3.0),
        (["1.9"], "1.9", 1.9),
        ("model", "model", math.inf),
    ],
)
def test_grammar(words, name, c_h):
    cutoff = parse_cutoff(words)
    assert cutoff.name == name
    assert cutoff.distance("C", "H") == cutoff.distance("H", "C") == pytest.approx(c_h, abs=1e-12)


def test_matrix_follows_the_types_even_when_two_share_an_element():
    matrix = BondCutoff("covalent").matrix(["H", "C", "H"])
    expected = 1.3 * np.array([[0.62, 1.07, 0.62], [1.07, 1.52, 1.07], [0.62, 1.07, 0.62]])
    np.testing.assert_allclose(matrix, expected, rtol=0, atol=1e-12)


def test_file(tmp_path):
    path = tmp_path / "bonds with space.txt"
    path.write_text("# my bonds\nC H 1.4  # long\n\nC C 1.9\n")
    for words in (["file", str(path)], f"file {path}"):
        cutoff = parse_cutoff(words)
        assert cutoff.distance("H", "C") == 1.4
        assert cutoff.distance("H", "H") == 0.0
    assert cutoff.matrix(["C", "N"]).tolist() == [[1.9, 0.0], [0.0, 0.0]]


@pytest.mark.parametrize("words", ["covalant", "-1", "0", "nan", "inf", [], ["file"], ["2", "3"]])
def test_bad_words_name_the_grammar(words):
    with pytest.raises(E3DError, match="expected 'model', 'covalent', 'paper', a number"):
        parse_cutoff(words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("C H\n", "line 1: expected 'El1 El2 R', got 'C H'"),
        ("C H 1\nC H two\n", "line 2: expected"),
        ("C Q 1.0\n", "line 1: 'Q' is not a chemical element from H to Cm; expected 'El1 El2 R'$"),
        ("C H 0\n", "finite number of angstrom > 0"),
        ("C H 1.0\nH C 1.1\n", "earlier line"),
        ("# nothing\n", "no line 'El1 El2 R'"),
    ],
)
def test_bad_files(tmp_path, text, message):
    path = tmp_path / "bonds.txt"
    path.write_text(text)
    with pytest.raises(E3DError, match=message):
        parse_cutoff(["file", str(path)])


def test_missing_file():
    with pytest.raises(E3DError, match="no such file; expected a cutoff file"):
        parse_cutoff("file /nonexistent/bonds.txt")


def test_elements():
    assert check_elements(["C", "H"]) == ("C", "H")
    with pytest.raises(E3DError, match="'HC' is not a chemical element"):
        check_elements(["HC"])
    with pytest.raises(E3DError, match="no element given"):
        check_elements([])
