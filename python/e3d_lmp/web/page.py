"""One HTML file that links a D-A map to structures, for a browser and without any network.

The map counts every bond of the store. Structures are there for a sample: some bonds of each bin
(`bond_sample`), each with its molecule or with the atoms around it (`surroundings`). The file holds its own
scripts: those of ``assets/`` and 3Dmol.js (Rego and Koes, Bioinformatics 31, 1322 (2015); BSD-3-Clause, its
notice is ``assets/3Dmol-LICENSE.txt`` and stands in every page). A content security policy forbids the page
to load anything.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from e3d_lmp.analysis.maps import DEFAULT_BIN, EnergyMap
from e3d_lmp.analysis.reducers import MapReducer
from e3d_lmp.edges.cutoffs import BondCutoff, check_elements, covalent_radii
from e3d_lmp.edges.frames import AtomRows, BondFrame, EdgeFrame
from e3d_lmp.edges.pairs import PairFrame, Pairing, is_like, parse_labels
from e3d_lmp.edges.sources import model_types
from e3d_lmp.edges.store.reader import StoreReader
from e3d_lmp.errors import E3DError
from e3d_lmp.figures.colours import fitted_scale
from e3d_lmp.files import write_text
from e3d_lmp.version import __version__
from e3d_lmp.web.bond_sample import BondSample, SampledBonds
from e3d_lmp.web.page_html import build_page
from e3d_lmp.web.surroundings import WHOLE_ATOMS, Surroundings, fits_whole, stick_pairs, sticks

FORMAT = "e3d-page/1"
PER_BIN = 10
"""Bonds of each bin that are shown with their structures."""

STRUCTURES = 2000
MEGABYTES = 20.0
RADIUS = 6.0
"""Angstrom around the middle of a bond."""

_COLOURS = 96
_BOND_BYTES = 130
"""About what a bond takes in the file, beside its structure."""


@dataclass(frozen=True)
class PageOptions:
    """What a page shows.

    Attributes
    ----------
    cutoff      bond cutoff
    width       eV, width of the bins
    labels      pair labels; all by default
    per_bin     bonds of each bin that come with their structure
    structures  structures in the page
    megabytes   size of the bonds and structures in the page, MB (1e6 bytes); the scripts take 0.6 MB more
    radius      angstrom, what is cut out around a bond of a large or periodic frame
    model       model file, where its cutoffs differ for the two directions of a pair
    skip_unpaired  leave out edges without a partner
    """

    cutoff: BondCutoff
    width: float = DEFAULT_BIN
    labels: Sequence[str] | None = None
    per_bin: int = PER_BIN
    structures: int = STRUCTURES
    megabytes: float = MEGABYTES
    radius: float = RADIUS
    model: str | None = None
    skip_unpaired: bool = False

    def __post_init__(self) -> None:
        for name, value in (("per-bin", self.per_bin), ("structures", self.structures)):
            if value < 1:
                raise E3DError(f"--{name} {value}: expected a whole number of at least 1")
        for name, number in (("size", self.megabytes), ("radius", self.radius)):
            if not (np.isfinite(number) and number > 0.0):
                raise E3DError(f"--{name} {number:g}: expected a positive number")


def page_data(store: StoreReader, options: PageOptions, title: str) -> dict[str, Any]:
    """What a page shows, as it goes into the file; `build_page` writes it.

    Energies are those of the store, exactly; lengths are in angstrom, positions are float32.

    Raises
    ------
    E3DError
        If the store has no positions or no elements, or there is no pair within the cutoff.
    """
    elements = _elements(store)
    model_cutoffs = None
    if options.model:
        elements, model_cutoffs = model_types(options.model, elements)
    bond = None if options.cutoff.name == "model" else options.cutoff.matrix(elements)
    labels = parse_labels(options.labels, elements) if options.labels else None
    pairing = Pairing(elements, bond, model_cutoffs, options.skip_unpaired)
    gathered = _gather(store, pairing, options, labels)
    shown = gathered.map.by_count()
    if not shown:
        asked = f" of {', '.join(labels)}" if labels else ""
        raise E3DError(
            f"{store.path}: no pair{asked} within the bond cutoff '{options.cutoff.name}' in {len(store)} "
            "frames; choose another --cutoff, or other --pairs"
        )
    gathered = replace(gathered, sample=_order(gathered.sample, pairing.labels, shown))
    found = _with_structures(store, gathered.sample, gathered.whole, options, pairing)
    return _as_json(store, options, title, gathered, pairing.labels, found)


def write_page(
    store: StoreReader, options: PageOptions, path: str | os.PathLike, title: str | None = None
) -> dict[str, Any]:
    """Write the page of a store, whole or not at all; returns its data. Raises as `page_data` does."""
    data = page_data(store, options, title or store.path.name)
    write_text(path, build_page(data))
    return data


def _elements(store: StoreReader) -> tuple[str, ...]:
    """Element of each type; raises if the store lacks what structures need."""
    if not len(store):
        raise E3DError(f"{store.path}: no frame in it; make the store again from frames")
    again = "make it with 'e3d convert EDGES.dump -o STORE.h5 --atoms ATOMS.dump', or with 'e3d evaluate'"
    if store.atoms(0).position is None:
        raise E3DError(
            f"{store.path}: an edge store without positions, so there is no structure to show; {again}"
        )
    elements = store.elements or _named_types(store.atoms(0))
    if not all(elements):
        raise E3DError(
            f"{store.path}: an edge store that does not know the elements of its types; "
            "make it again with --types"
        )
    return check_elements(elements)


def _named_types(atoms: AtomRows) -> tuple[str, ...]:
    """Element of each type up to the highest, from atoms that know theirs; '' where none does."""
    names = dict(zip(atoms.type.tolist(), atoms.element.tolist(), strict=True))
    return tuple(names.get(kind, "") for kind in range(1, max(names, default=1) + 1))


def _gather(
    store: StoreReader, pairing: Pairing, options: PageOptions, labels: Sequence[str] | None
) -> _Gathered:
    """One pass over the store."""
    from tqdm import tqdm

    maps = MapReducer(options.cutoff.name, options.width, labels)
    sample = BondSample(options.per_bin, options.width)
    whole = np.zeros(len(store), dtype=bool)
    unpaired = 0
    for k, frame in enumerate(tqdm(store, desc="e3d page", unit="frame", disable=None, leave=False)):
        pairs = _pairs(pairing, frame)
        maps.add(pairs)
        sample.add(pairs, k)
        first, end = store.atom_rows(k)
        whole[k] = fits_whole(end - first, frame.box)
        unpaired += pairs.unpaired
    return _Gathered(maps.result(), sample.result(), whole, unpaired)


def _pairs(pairing: Pairing, frame: EdgeFrame | BondFrame) -> PairFrame:
    return pairing.pair(frame) if isinstance(frame, EdgeFrame) else pairing.label(frame)


@dataclass(frozen=True)
class _Gathered:
    """The map of all bonds, a sample of them, (F,) which frames are shown whole, edges left out."""

    map: EnergyMap
    sample: SampledBonds
    whole: np.ndarray
    unpaired: int


def _order(sample: SampledBonds, labels: Sequence[str], shown: Sequence[str]) -> SampledBonds:
    """The bonds of the shown labels: first one of every bin, then the second ones, and so on."""
    sample = sample.take(np.flatnonzero(np.isin(sample.label, [labels.index(name) for name in shown])))
    return sample.take(np.lexsort((sample.priority, sample.rank)))


@dataclass(frozen=True)
class _Shown:
    """Bonds with their structures.

    Attributes
    ----------
    bonds          in the order of labels, bins and ranks
    structure      (K,) int64, index into `structures`
    first, second  (K,) int64, the bond's atoms in its structure
    structures     [elements, base64 of uint8; positions, base64 of float32; 1 if it is a whole molecule;
                   ends of the sticks, base64 of uint16, two by two; their D, base64 of float32]
    scale          eV, the ends of the colours of D
    """

    bonds: SampledBonds
    structure: np.ndarray
    first: np.ndarray
    second: np.ndarray
    structures: list[list[Any]]
    scale: tuple[float, float]


def _with_structures(
    store: StoreReader,
    sample: SampledBonds,
    whole: np.ndarray,
    options: PageOptions,
    pairing: Pairing,
) -> _Shown:
    """As many bonds from the start of the sample as the limits allow, with their structures."""
    # A molecule serves all of its bonds; a sphere serves one.
    _, key = np.unique(
        np.where(whole[sample.frame], -1 - sample.frame, np.arange(len(sample))), return_inverse=True
    )
    sample = sample.take(np.arange(_prefix(key, np.zeros(key.size), 1.0, options.structures)))
    key = key[: len(sample)]
    first, second = np.zeros((2, len(sample)), dtype=np.int64)
    found: dict[int, list[Any]] = {}
    energies = []
    order = np.argsort(sample.frame, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(sample.frame[order])) + 1):
        number = int(sample.frame[rows[0]])
        frame, atoms = store[number], store.atoms(number)
        pairs = stick_pairs(_pairs(pairing, frame))
        surroundings = Surroundings(atoms, frame.box, options.radius)
        kinds = (atoms.type - 1).astype(np.uint8)
        where = f"{store.path}, step {frame.step}"
        for row in rows:
            bond = surroundings.fragment(int(sample.i[row]), int(sample.j[row]), sample.vec[row], where)
            first[row], second[row] = bond.first, bond.second
            if int(key[row]) not in found:
                ends, D = sticks(bond, atoms.id, pairs)
                energies.append(D)
                found[int(key[row])] = [
                    _base64(kinds[bond.row]),
                    _base64((bond.position - bond.position.mean(axis=0)).astype("<f4")),
                    int(surroundings.is_whole),
                    _base64(ends.astype("<u2")),
                    _base64(D.astype("<f4")),
                ]
    sizes = np.array([len("".join(map(str, found[k]))) for k in key.tolist()], dtype=np.float64)
    n = _prefix(key, np.full(key.size, _BOND_BYTES), sizes, options.megabytes * 1e6)
    if not n:
        raise E3DError(f"--size {options.megabytes:g}: not even one structure fits; give more megabytes")
    rows = np.lexsort((sample.rank[:n], sample.code[:n], sample.label[:n]))
    used, structure = np.unique(key[rows], return_inverse=True)
    scale = fitted_scale("D", energies)
    structures = [found[k] for k in used.tolist()]
    return _Shown(
        sample.take(rows), structure, first[rows], second[rows], structures, (scale.low, scale.high)
    )


def _prefix(key: np.ndarray, each: np.ndarray, once: Any, limit: float) -> int:
    """How many of the first rows cost no more than the limit: `each` by row, `once` by different key."""
    is_new = np.zeros(key.size, dtype=bool)
    is_new[np.unique(key, return_index=True)[1]] = True
    return int(np.searchsorted(np.cumsum(each + np.where(is_new, once, 0.0)), limit, side="right"))


def _as_json(
    store: StoreReader,
    options: PageOptions,
    title: str,
    gathered: _Gathered,
    labels: Sequence[str],
    shown: _Shown,
) -> dict[str, Any]:
    """The data of the page, ready for JSON."""
    result, bonds = gathered.map, shown.bonds
    names = result.by_count()
    place = np.array([names.index(name) if name in names else -1 for name in labels])
    order = np.argsort(place[bonds.label], kind="stable")
    frames, source = np.unique(bonds.frame[order], return_inverse=True)
    columns = {
        "label": place[bonds.label[order]],
        "source": source,
        "structure": shown.structure[order],
        "first": shown.first[order],
        "second": shown.second[order],
        "i": bonds.i[order],
        "j": bonds.j[order],
        "rank": bonds.rank[order],
        "e12": bonds.e12[order],
        "e21": bonds.e21[order],
        "length": np.linalg.norm(bonds.vec[order], axis=1).round(6),
    }
    ends = np.searchsorted(columns["label"], np.arange(len(names) + 1)).tolist()
    elements = _elements(store)
    radii = covalent_radii()
    return {
        "format": FORMAT,
        "title": title,
        "about": _about(result, gathered.sample, shown, options),
        "provenance": _provenance(store, result, options, gathered.unpaired),
        "width": options.width,
        "radius": options.radius,
        "per_bin": options.per_bin,
        "colours": _colours(),
        "scale": shown.scale,
        "elements": list(elements),
        "radii": [radii[symbol] for symbol in elements],
        "labels": [_label(result, name, ends[k : k + 2]) for k, name in enumerate(names)],
        "bonds": {name: column.tolist() for name, column in columns.items()},
        "sources": _sources(store, frames),
        "structures": shown.structures,
    }


def _label(result: EnergyMap, name: str, bonds: Sequence[int]) -> dict[str, Any]:
    one = result.labels[name]
    d, a, weight = one.bins
    return {
        "name": name,
        "like": is_like(name),
        "count": one.count,
        "entropy": one.entropy_nats,
        "mean_D": one.mean_D,
        "bins": {"d": d.tolist(), "a": a.tolist(), "w": weight.tolist()},
        "bonds": list(bonds),
    }


def _about(result: EnergyMap, sample: SampledBonds, shown: _Shown, options: PageOptions) -> str:
    """One line: what the map counts, and which of it comes with structures."""
    count = sum(one.count for one in result.labels.values())
    text = (
        f"{count:,} bonds (cutoff {result.cutoff}) of {result.samples:,} frames in the map; "
        f"{len(shown.bonds):,} of them, up to {options.per_bin} of each bin, with "
        f"{len(shown.structures):,} structures."
    )
    n_bins, n_shown = (int(np.count_nonzero(bonds.rank == 0)) for bonds in (sample, shown.bonds))
    if n_shown < n_bins:
        text += f" {n_bins - n_shown:,} of {n_bins:,} bins have none here (limits of the page)."
    return text


def _provenance(
    store: StoreReader, result: EnergyMap, options: PageOptions, unpaired: int
) -> list[tuple[str, str]]:
    about = {
        "made by": f"e3d-lmp {__version__}, e3d page",
        "edge store": store.path.name,
        "steps": "-".join(map(str, result.steps)) if result.steps else "",
        "bond cutoff": result.cutoff,
        "bins": f"{options.width:g} eV",
        "structures": f"molecules of up to {WHOLE_ATOMS} atoms whole; else atoms within {options.radius:g} "
        "angstrom of the middle of the bond; sticks join atoms within 1.3 times the sum of covalent radii, "
        "grey where the bond cutoff leaves their pair out",
        **{f"store: {name}": text for name, text in sorted(store.provenance.items()) if name != "request"},
    }
    if unpaired:
        about["unpaired"] = f"{unpaired} edges without a partner left out"
    return [(name, text) for name, text in about.items() if text]


def _sources(store: StoreReader, frames: np.ndarray) -> list[str]:
    """What the frames are called: the name of the structure, or the time step."""
    names = store.values("name") if store.has("name") else np.full(len(store), "")
    steps = store.steps
    return [str(names[k]) or f"step {steps[k]}" for k in frames.tolist()]


def _colours() -> list[str]:
    """The figures' colour map, from few to many as viridis has it: dark to light."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colour) for colour in colormaps["viridis"](np.linspace(0.0, 1.0, _COLOURS))]


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode("ascii")
