"""Reactions out of an edge store: which bonds form and break, and their energies."""

from __future__ import annotations

import numpy as np
import pytest

from analysis_folders import reaction_store
from e3d_lmp.analysis.reaction_paths import first_changing, path_frames, read_path
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.errors import E3DError


def test_bonds_that_form_and_break(tmp_path):
    with StoreReader(reaction_store(tmp_path / "edges.h5")) as store:
        assert path_frames(store) == {"CHO/rxn1": [0, 1, 2], "CHO/rxn2": [3]}
        assert first_changing(store) == "CHO/rxn1"
        path = read_path(store, "CHO/rxn1")
    assert path.images == ("reactant", "transition_state", "product")
    assert path.energy.tolist() == [-9.0, -8.0, -7.0] and path.reference_energy.tolist() == [-900, -898, -896]
    broken, formed = path.bonds
    assert (broken.name, broken.is_formed) == ("O1-H2", False)
    assert (formed.name, formed.is_formed) == ("C3-H2", True)
    r = np.array([1.0, 1.7, 2.4])
    np.testing.assert_allclose(broken.distance, r)
    np.testing.assert_allclose(broken.D, -3.0 * np.exp(1.0 - r))
    np.testing.assert_allclose(formed.distance, 3.5 - r)
    np.testing.assert_allclose(formed.D, -3.0 * np.exp(r - 2.5))


@pytest.mark.parametrize(("cutoff", "beyond"), [("model", 0.0), ("covalent", np.nan)])
def test_beyond_the_cutoff_of_the_model_d_is_0_and_beyond_that_of_the_store_unknown(tmp_path, cutoff, beyond):
    with StoreReader(reaction_store(tmp_path / "edges.h5", cutoff, images=5, reach=2.0)) as store:
        path = read_path(store, "CHO/rxn1")
    assert path.images == ("0", "1", "2", "3", "4")
    broken, formed = path.bonds
    r = 1.0 + 0.35 * np.arange(5)
    np.testing.assert_allclose(broken.D, np.where(r < 2.0, -3.0 * np.exp(1.0 - r), beyond))
    np.testing.assert_allclose(formed.D, np.where(r > 1.5, -3.0 * np.exp(r - 2.5), beyond))
    np.testing.assert_allclose(broken.distance, np.where(r < 2.0, r, np.nan))


def test_what_a_bond_is_and_part_of_the_images(tmp_path):
    with StoreReader(reaction_store(tmp_path / "edges.h5", images=5)) as store:
        assert [bond.name for bond in read_path(store, "CHO/rxn1", "2.45").bonds] == ["C3-H2"]
        assert not read_path(store, "CHO/rxn1", "0.9").bonds
        last = read_path(store, "CHO/rxn1", images=slice(-2, None))
    assert last.images == ("3", "4") and last.energy.tolist() == [-6.0, -5.0]


def test_errors_say_what_to_type(tmp_path):
    with StoreReader(reaction_store(tmp_path / "edges.h5")) as store:
        with pytest.raises(E3DError, match="no reaction 'X'; reactions there: CHO/rxn1, CHO/rxn2"):
            read_path(store, "X")
        with pytest.raises(E3DError, match="'CHO/rxn2' has 1 images; a path needs at least 2"):
            read_path(store, "CHO/rxn2")
