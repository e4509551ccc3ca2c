"""Pages: their numbers are the store's, their sample is fair, their text is safe. The browser is in
`test_page_browser`."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.analysis.edge_analysis import EdgeAnalysis
from e3d_lmp.analysis.label_map import bin_codes
from e3d_lmp.edges.cutoffs import covalent_radii, parse_cutoff
from e3d_lmp.edges.frames import BondFrame
from e3d_lmp.edges.pairs import PairFrame, Pairing, is_like
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.edges.store.writer import StoreWriter
from e3d_lmp.errors import E3DError
from e3d_lmp.web import bond_sample
from e3d_lmp.web.bond_sample import BondSample
from e3d_lmp.web.page import PageOptions, build_page, page_data, write_page
from page_stores import ELEMENTS, write_liquid, write_molecules

COVALENT = parse_cutoff("covalent")


def store_pairs(store: StoreReader) -> list[PairFrame]:
    pairing = Pairing(ELEMENTS, COVALENT.matrix(ELEMENTS))
    return [pairing.label(frame) if isinstance(frame, BondFrame) else pairing.pair(frame) for frame in store]


def numbers(array: str, kind: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(array), dtype=kind)


class _Parts(HTMLParser):
    """What a browser sees: scripts, their types, and all other text."""

    def __init__(self, text: str):
        super().__init__()
        self.scripts: list[tuple[dict, str]] = []
        self.tags: Counter = Counter()
        self.metas: list[dict] = []
        self.titles: list[str] = []
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags[tag] += 1
        self._open.append(tag)
        if tag == "script":
            self.scripts.append((dict(attributes), ""))
        if tag == "meta":
            self.metas.append(dict(attributes))

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] = (self.scripts[-1][0], self.scripts[-1][1] + data)
        if self._open and self._open[-1] in ("title", "h1"):
            self.titles.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass


@pytest.fixture(scope="module", params=["molecules", "liquid", "slab"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StoreReader:
    path = tmp_path_factory.mktemp("page") / f"{request.param}.h5"
    if request.param == "molecules":
        write_molecules(path)
    else:
        write_liquid(path, pbc=(True, True, request.param == "liquid"))
    with StoreReader(path) as reader:
        yield reader


def test_numbers_are_the_stores(store: StoreReader) -> None:
    data = page_data(store, PageOptions(COVALENT, per_bin=3), "title")
    frames = store_pairs(store)
    known = {
        (f"step {frame.step}" if not store.has("name") else store.values("name")[n], i, j, e12, e21): (
            label,
            length,
        )
        for n, frame in enumerate(frames)
        for label, i, j, e12, e21, length in zip(
            frame.label.tolist(),
            *(a.tolist() for a in (frame.i, frame.j, frame.e12, frame.e21)),
            np.linalg.norm(frame.vec, axis=1).tolist(),
            strict=True,
        )
    }
    bonds = data["bonds"]
    assert len(bonds["i"]) > 50
    for k in range(len(bonds["i"])):
        key = (data["sources"][bonds["source"][k]], *(bonds[name][k] for name in ("i", "j", "e12", "e21")))
        label, length = known.pop(key)
        assert frames[0].labels[label] == data["labels"][bonds["label"][k]]["name"]
        assert bonds["length"][k] == pytest.approx(length, abs=1e-6)

    analysis = EdgeAnalysis(ELEMENTS, COVALENT)
    for frame in store:
        analysis.add(frame)
    result = analysis.result()
    assert [label["name"] for label in data["labels"]] == result.by_count()
    for number, label in enumerate(data["labels"]):
        one = result.labels[label["name"]]
        assert label["count"] == one.count
        assert label["entropy"] == pytest.approx(one.entropy_nats, rel=1e-13)
        assert label["mean_D"] == pytest.approx(one.mean_D, rel=1e-13)
        for name, column in zip("daw", one.bins, strict=True):
            assert label["bins"][name] == column.tolist()
        first, end = label["bonds"]
        assert set(bonds["label"][first:end]) == {number}


def test_each_bin_has_its_share(store: StoreReader) -> None:
    data = page_data(store, PageOptions(COVALENT, per_bin=3), "title")
    there, shown = Counter(), Counter()
    for frame in store_pairs(store):
        for label, d, a in zip(frame.label, frame.D, frame.A, strict=True):
            name = frame.labels[label]
            there[name, np.floor(d / 0.1), np.floor((abs(a) if is_like(name) else a) / 0.1)] += 1
    bonds = data["bonds"]
    for label, e12, e21 in zip(bonds["label"], bonds["e12"], bonds["e21"], strict=True):
        name = data["labels"][label]["name"]
        a = abs(e12 - e21) if is_like(name) else e12 - e21
        shown[name, np.floor((e12 + e21) / 0.1), np.floor(a / 0.1)] += 1
    assert max(there.values()) > 3
    assert shown == {key: min(n, 3) for key, n in there.items()}


def test_structures_are_what_is_around_the_bond(store: StoreReader) -> None:
    radius = 4.5
    data = page_data(store, PageOptions(COVALENT, per_bin=2, radius=radius), "title")
    bonds, frames = data["bonds"], store_pairs(store)
    steps = {name: n for n, name in enumerate(store.values("name"))} if store.has("name") else {}
    for k in range(len(bonds["i"])):
        kinds, positions, whole, *_ = data["structures"][bonds["structure"][k]]
        kinds, positions = numbers(kinds, "u1"), numbers(positions, "<f4").reshape(-1, 3).astype(float)
        a, b = bonds["first"][k], bonds["second"][k]
        one, two = (data["elements"][kinds[n]] for n in (a, b))
        assert f"{one}-{two}" == data["labels"][bonds["label"][k]]["name"]
        assert np.linalg.norm(positions[b] - positions[a]) == pytest.approx(bonds["length"][k], abs=1e-4)
        source = data["sources"][bonds["source"][k]]
        number = steps[source] if steps else int(source.split()[1]) // 100
        atoms, box = store.atoms(number), store[number].box
        assert bool(whole) == (not box.pbc.any())
        if whole:
            np.testing.assert_array_equal(kinds, atoms.type - 1)
            shift = atoms.position - positions
            np.testing.assert_allclose(shift - shift[0], 0.0, atol=1e-5)
            assert (a, b) == (bonds["i"][k] - 1, bonds["j"][k] - 1)
            continue
        # The plain way: every image in reach of every atom.
        frame = frames[number]
        row = next(
            n
            for n in range(frame.i.size)
            if (frame.e12[n], frame.e21[n]) == (bonds["e12"][k], bonds["e21"][k])
        )
        middle = atoms.position[frame.i[row] - 1] + frame.vec[row] / 2.0
        spans = [range(-3, 4) if periodic else (0,) for periodic in box.pbc]
        shifts = np.array(list(itertools.product(*spans))) @ box.cell
        images = [
            (int(kind) - 1, *position)
            for kind, at in zip(atoms.type, atoms.position - middle, strict=True)
            for position in at + shifts
            if np.linalg.norm(position) <= radius
        ]
        found = np.column_stack([kinds, positions - (positions[a] + positions[b]) / 2.0])
        order = np.lexsort(np.round(found.T, 2))
        expected = np.array(images)[np.lexsort(np.round(np.array(images).T, 2))]
        np.testing.assert_allclose(found[order], expected, atol=2e-5)


@pytest.mark.parametrize("cutoff", ["covalent", "model", "1.0"])
def test_sticks_have_the_energies_of_the_store(store: StoreReader, cutoff: str) -> None:
    """Every two atoms near enough are a stick with the D of their pair, of the right image; no others are."""
    data = page_data(store, PageOptions(parse_cutoff(cutoff), per_bin=1, radius=3.0), "title")
    shorter = 1.0 if cutoff == "1.0" else np.inf
    known = {}
    for frame in store_pairs(store):
        for vec, D in zip(frame.vec, frame.D, strict=True):
            if np.linalg.norm(vec) < shorter:
                known.setdefault(round(float(np.linalg.norm(vec)), 4), []).append(D)
    low, high = data["scale"]
    count = 0
    for kinds, positions, _, ends, energies in data["structures"]:
        kinds, positions = numbers(kinds, "u1"), numbers(positions, "<f4").reshape(-1, 3).astype(float)
        ends, energies = numbers(ends, "<u2").reshape(-1, 2), numbers(energies, "<f4")
        far = np.linalg.norm(positions[:, None] - positions, axis=2)
        limit = np.minimum(COVALENT.matrix(ELEMENTS)[kinds[:, None], kinds[None]], shorter)
        near = np.argwhere(np.triu((far < limit) & (far > 0.0), 1))
        assert {tuple(sorted(pair)) for pair in ends.tolist()} == {tuple(pair) for pair in near.tolist()}
        assert len(ends) == len(near)
        for (a, b), D in zip(ends, energies, strict=True):
            lengths = (round(far[a, b] + shift, 4) for shift in (-1e-4, 0.0, 1e-4))
            assert min(abs(D - each) for length in lengths for each in known.get(length, [])) < 1e-6
        count += len(ends)
    assert count > (0 if cutoff == "1.0" else 100) and low < high


def test_same_sample_every_time_whatever_the_block(
    store: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = PageOptions(COVALENT, per_bin=2)
    first = page_data(store, options, "title")
    monkeypatch.setattr(bond_sample, "_PENDING", 10)
    assert page_data(store, options, "title") == first


def test_every_bond_of_a_bin_has_the_same_chance() -> None:
    n = 60
    drawn = np.zeros(n)
    for step in range(1000):
        sample = BondSample(6, 0.1)
        half = np.full(n, -2.02)
        ids = np.arange(n)
        sample.add(
            PairFrame(step, ("C-H",), ids * 0, ids, ids, np.zeros((n, 3)), half, half, 2 * half, 0 * half), 7
        )
        result = sample.result()
        assert result.rank.tolist() == list(range(6)) and set(result.frame) == {7}
        assert np.all(result.code == bin_codes(np.array([-41]), np.array([0])))
        drawn[result.i] += 1
    # 1000 draws of 6 from 60: 100 each, standard deviation 9.5.
    assert drawn.sum() == 6000 and np.abs(drawn - 100.0).max() < 45.0
    assert 6.0 < drawn.std() < 13.0


def test_limits_are_kept_and_said(store: StoreReader) -> None:
    everything = page_data(store, PageOptions(COVALENT, per_bin=1000), "title")
    assert "bins have none" not in everything["about"]
    assert len(everything["bonds"]["i"]) == sum(label["count"] for label in everything["labels"])
    few = page_data(store, PageOptions(COVALENT, structures=5), "title")
    assert len(few["structures"]) == 5
    assert "bins have none here" in few["about"]
    # The first bond of every bin comes before the second of any.
    some = page_data(store, PageOptions(COVALENT, megabytes=0.006), "title")
    assert len(json.dumps([some["bonds"], some["structures"]], separators=(",", ":"))) < 7000
    assert set(some["bonds"]["rank"]) <= {0, 1}
    with pytest.raises(E3DError, match="not even one structure fits"):
        page_data(store, PageOptions(COVALENT, megabytes=1e-5), "title")


def test_text_is_safe_and_nothing_comes_from_outside(tmp_path: Path) -> None:
    nasty = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>\u2028&\"'"
    path = write_molecules(tmp_path / "store.h5", 3, name="</script><i>")
    with StoreReader(path) as store:
        data = write_page(store, PageOptions(COVALENT), tmp_path / "page.html", nasty)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    parts = _Parts(text)
    assert len(parts.scripts) == 3 and parts.tags["img"] == parts.tags["i"] == parts.tags["iframe"] == 0
    assert "".join(parts.titles).count(nasty) == 2
    assert all("src" not in attributes for attributes, _ in parts.scripts)
    assert json.loads(parts.scripts[0][1]) == json.loads(json.dumps(data))
    assert data["sources"][0].startswith("</script>")
    policy = next(meta["content"] for meta in parts.metas if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'; ") and "script-src 'unsafe" not in policy
    for _, script in parts.scripts[1:]:
        hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"'sha256-{hashed}'" in policy
    assert "University of Pittsburgh" in parts.scripts[1][1]  # the licence wants to be there


def test_pairs_make_the_same_page(tmp_path: Path) -> None:
    with StoreReader(write_liquid(tmp_path / "edges.h5")) as store:
        as_edges = page_data(store, PageOptions(COVALENT), "title")
        with StoreWriter(
            tmp_path / "pairs.h5", request={}, elements=ELEMENTS, atom_columns=["position"]
        ) as writer:
            for k, pairs in enumerate(store_pairs(store)):
                frame, atoms = store[k], store.atoms(k)
                types = (atoms.type[pairs.i - 1], atoms.type[pairs.j - 1])
                energies = (pairs.vec, pairs.e12, pairs.e21)
                writer.append(BondFrame(frame.step, frame.box, pairs.i, pairs.j, *types, *energies), atoms)
    with StoreReader(tmp_path / "pairs.h5") as store:
        as_pairs = page_data(store, PageOptions(COVALENT), "title")
    for name in ("bonds", "labels", "structures"):
        assert as_pairs[name] == as_edges[name], name


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    store = write_liquid(tmp_path / "liquid.h5")
    page = tmp_path / "page.html"
    words = ["page", str(store), "-o", str(page), "--pairs", "H-C", "--every", "2", "--radius", "3"]
    assert cli.main(words) == 0
    out = capsys.readouterr().out
    assert f"wrote {page}" in out and "of 2 frames in the map" in out
    data = json.loads(_Parts(page.read_text()).scripts[0][1])
    assert [label["name"] for label in data["labels"]] == ["C-H"] and data["radius"] == 3.0
    assert set(data["sources"]) <= {"step 0", "step 200"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["liquid.h5", "page.html"]


def _without_positions(store: h5py.File) -> None:
    del store["atoms/position"]


def _without_elements(store: h5py.File) -> None:
    store.attrs["elements"] = ""
    store["atoms/element"][...] = b""


def _moved(store: h5py.File) -> None:
    store["atoms/position"][...] += np.random.default_rng(1).normal(0.0, 0.3, store["atoms/position"].shape)


@pytest.mark.parametrize(
    ("change", "words", "message"),
    [
        (_without_positions, [], "without positions.*e3d convert .* --atoms"),
        (_without_elements, [], "does not know the elements of its types; make it again with --types"),
        (_moved, [], "is not where its edge with atom .* ends.*right --atoms"),
        (None, ["--cutoff", "0.3"], "no pair within the bond cutoff '0.3' in 3 frames"),
        (None, ["--pairs", "C-N"], "pair 'C-N': expected two of the elements C O H"),
        (None, ["--per-bin", "0"], "--per-bin 0: expected a whole number of at least 1"),
        (None, ["--radius", "-1"], "--radius -1: expected a positive number"),
        (None, ["--bin", "0"], "bin width 0"),
        (None, ["-o", "page.txt"], "page.txt: a page is written to a file that ends in .html"),
    ],
)
def test_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture, change: object, words: list[str], message: str
) -> None:
    path = write_liquid(tmp_path / "liquid.h5")
    if callable(change):
        with h5py.File(path, "r+") as file:
            change(file)
    page = tmp_path / "page.html"
    assert cli.main(["page", str(path), "-o", str(page), *words]) == 2
    assert re.search(message, capsys.readouterr().err)
    assert [p.name for p in tmp_path.iterdir()] == ["liquid.h5"]


def test_a_dump_is_no_store(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "edges.dump").write_text("ITEM: TIMESTEP\n0\n")
    assert cli.main(["page", str(tmp_path / "edges.dump"), "-o", str(tmp_path / "page.html")]) == 2
    assert "not an edge store; make one with 'e3d convert" in capsys.readouterr().err


def test_elements_of_atoms_do_where_types_have_none(tmp_path: Path) -> None:
    path = write_liquid(tmp_path / "liquid.h5")
    with StoreReader(path) as store:
        expected = page_data(store, PageOptions(COVALENT), "title")
    with h5py.File(path, "r+") as file:
        file.attrs["elements"] = ""
    with StoreReader(path) as store:
        data = page_data(store, PageOptions(COVALENT), "title")
    assert data["labels"] == expected["labels"]
    assert data["radii"] == [covalent_radii()[symbol] for symbol in ELEMENTS]


def test_assets_hold_nothing_that_ends_a_script(tmp_path: Path) -> None:
    with StoreReader(write_molecules(tmp_path / "store.h5", 2)) as store:
        text = build_page(page_data(store, PageOptions(COVALENT), "title"))
    assert text.count("</script") == text.count("<script") == 3
