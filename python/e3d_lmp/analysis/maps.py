"""D-A maps: histograms and moments of D and A per pair label, and the text file ``e3d-map/1``.

The file format
---------------
Lines of words; everything from ``#`` on is a comment; blank lines count nothing. In this order::

    e3d-map/1
    bin 0.1                          width w of the bins in D and A
    cutoff covalent                  bond cutoff, the rest of the line
    samples 21                       time steps that were added
    steps 0 10000                    first and last of them; left out when samples is 0; after a subtraction
                                     those of the map that was subtracted from
    provenance types C H N O         any number of lines: a key and the rest of the line; the key energy_unit
                                     (eV or kcal/mol) is the unit of all energies here, eV where it is absent
    label C-H 4200 SD SDD SA SAA SaA 37
    -48 3 12                         37 lines: bin of D, bin of A, weight
    ...
    label C-C ...
    end

``label`` has the pair label, the number of pairs, the sums of D, D^2, A, A^2, |A| (eV or eV^2) and the
number of its bins. A bin is floor(D / w), floor(A / w) in double precision, D = e12 + e21, A = e12 - e21;
its line stands for [k w, (k + 1) w). A pair of unlike elements weighs 1. A pair of like elements, which
have no order, weighs 1/2 at +A and 1/2 at -A, and its sum of A is 0; weights are printed as whole numbers
or with .5. The weights of a label add up to its number of pairs. Bins are in ascending order, first by D,
then by A; labels in any order, each once. Real numbers have as many digits as it takes to read back the
same double. The line ``end`` tells a whole file from one that was cut off.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from e3d_lmp.analysis.label_map import BIN_LIMIT, LabelMap, bin_codes, split_codes
from e3d_lmp.analysis.map_checks import check_bins, check_sums, within_bounds
from e3d_lmp.edges.pairs import is_label, is_like
from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, read_text
from e3d_lmp.parsing import real_number, shortened, whole_number

FORMAT = "e3d-map/1"
DEFAULT_BIN = 0.1
"""Width of the bins in D and A, eV."""

WIDTHS = (1e-9, 1e9)
"""Widths of bins that a file may have, in its unit of energy."""

MOST_PAIRS = 2**53
"""Pairs of a label that a file may have: their weights are exact in double precision."""

ENERGY_UNITS = ("eV", "kcal/mol")
"""Units that a map file may name."""

_HEADER = {"bin": 1, "cutoff": 1, "samples": 1, "steps": 2}
"""Words after each key of a file's header; after cutoff at least so many."""


@dataclass(frozen=True)
class EnergyMap:
    """D-A maps of all pair labels of a sample.

    Attributes
    ----------
    width        width of the bins in D and A, eV
    cutoff       bond cutoff, in the words of `e3d_lmp.edges.cutoffs`
    samples      number of time steps (or structures) added
    steps        first and last time step, None without samples
    labels       map of each label that was looked for, empty ones included
    provenance   where the numbers come from, one line of text per key
    """

    width: float
    cutoff: str
    samples: int = 0
    steps: tuple[int, int] | None = None
    labels: dict[str, LabelMap] = field(default_factory=dict)
    provenance: dict[str, str] = field(default_factory=dict)

    def by_count(self) -> list[str]:
        """Labels that occur, the commonest first."""
        found = [name for name, one in self.labels.items() if one.count]
        return sorted(found, key=lambda name: (-self.labels[name].count, name))

    @property
    def unit(self) -> str:
        """Unit of D, A and the bins: what the provenance says as ``energy_unit``, else ``eV``."""
        return self.provenance.get("energy_unit", "eV")

    def check_comparable(self, other: EnergyMap, verb: str) -> None:
        """Raise `E3DError`, the maps cannot be `verb`, unless bins, unit and bond cutoff are the same."""
        if (self.width, self.unit) != (other.width, other.unit):
            mine, theirs = (f"{one.width!r} {one.unit}" for one in (self, other))
            raise E3DError(
                f"maps with bins of {mine} and {theirs} cannot be {verb}; make one of them again with the "
                "other's 'bin' and units"
            )
        if self.cutoff != other.cutoff:
            raise E3DError(
                f"maps with the bond cutoffs '{self.cutoff}' and '{other.cutoff}' cannot be {verb}; make one "
                "of them again with the other's 'cutoff'"
            )

    def merge(self, other: EnergyMap) -> EnergyMap:
        """The map of both samples together; provenance that differs is joined by ``" | "``.

        Raises
        ------
        E3DError
            If bin widths, units or bond cutoffs differ.
        """
        self.check_comparable(other, "added")
        ends = [end for steps in (self.steps, other.steps) if steps for end in steps]
        labels = dict(self.labels)
        for name, one in other.labels.items():
            labels[name] = labels[name].merge(one) if name in labels else one
        provenance = dict(self.provenance)
        for key, text in other.provenance.items():
            parts = provenance[key].split(" | ") if key in provenance else []
            provenance[key] = " | ".join(dict.fromkeys([*parts, *text.split(" | ")]))
        return replace(
            self,
            samples=self.samples + other.samples,
            steps=(min(ends), max(ends)) if ends else None,
            labels=labels,
            provenance=provenance,
        )

    def subtract(self, part: EnergyMap) -> EnergyMap:
        """The map of the samples that are not in `part`, a map that was added before.

        Counts, bins and entropies are exact; means and standard deviations to rounding. Provenance stays, and
        so do first and last step, because a map does not say which steps lie between them.

        Raises
        ------
        E3DError
            If bin widths, units or bond cutoffs differ, or `part` holds samples or pairs that this map lacks.
        """
        self.check_comparable(part, "subtracted")
        samples = self.samples - part.samples
        if samples < 0:
            raise E3DError(
                f"a map of {part.samples} samples cannot be subtracted from one of {self.samples}; only a "
                "part that was added before can be subtracted"
            )
        labels = dict(self.labels)
        for name, one in part.labels.items():
            labels[name] = self._left_of(name, one)
        left = [name for name, one in labels.items() if one.count]
        if samples == 0 and left:
            raise E3DError(
                f"subtracting all {part.samples} samples leaves pairs of {', '.join(left)}; only a part that "
                "was added before can be subtracted"
            )
        return replace(self, samples=samples, steps=self.steps if samples else None, labels=labels)

    def _left_of(self, name: str, part: LabelMap) -> LabelMap:
        """The pairs of a label that are not in `part`."""
        whole = self.labels.get(name, LabelMap())
        left = whole.subtract(part, f"pair {name}")
        try:
            check_bins(left, is_like(name))
            return within_bounds(left, is_like(name), self.width, whole.count * self.width)
        except ValueError as error:
            raise E3DError(
                f"pair {name}: {error}; only a part that was added before can be subtracted"
            ) from None


def read_maps(paths: Sequence[str | os.PathLike]) -> list[EnergyMap]:
    """The maps of several files that are to be added up.

    Raises
    ------
    E3DError
        As `read_map`; or a file was given twice, by whatever name.
    """
    seen: dict[str, str | os.PathLike] = {}
    for path in paths:
        file = os.path.realpath(path)
        if file in seen:
            raise E3DError(f"{os.fspath(path)}: the same file as {os.fspath(seen[file])}; give each map once")
        seen[file] = path
    return [read_map(path) for path in paths]


def write_map(result: EnergyMap, path: str | os.PathLike) -> None:
    """Write the ``e3d-map/1`` file of a map, whole or not at all."""
    with atomic_path(path) as partial, open(partial, "w", encoding="utf-8") as out:
        out.writelines(line + "\n" for line in _lines(result))


def _lines(result: EnergyMap) -> Iterator[str]:
    yield FORMAT
    yield f"bin {result.width!r}"
    yield f"cutoff {_one_line(result.cutoff)}"
    yield f"samples {result.samples}"
    if result.steps is not None:
        yield f"steps {result.steps[0]} {result.steps[1]}"
    for key, text in result.provenance.items():
        yield f"provenance {'_'.join(key.split())} {_one_line(text)}"
    for name, one in result.labels.items():
        sums = " ".join(repr(float(x)) for x in (one.sum_D, one.sum_D2, one.sum_A, one.sum_A2, one.sum_absA))
        yield f"label {name} {one.count} {sums} {one.codes.size}"
        d, a = split_codes(one.codes)
        for k_d, k_a, n in zip(d.tolist(), a.tolist(), one.halves.tolist(), strict=True):
            yield f"{k_d} {k_a} {n // 2}" + (".5" if n % 2 else "")
    yield "end"


def _one_line(text: str) -> str:
    return " ".join(str(text).replace("#", " ").split())


def read_map(path: str | os.PathLike) -> EnergyMap:
    """The map in an ``e3d-map/1`` file.

    Raises
    ------
    E3DError
        If the file is missing, of another format or version, cut off, or does not add up: bins, counts and
        sums that are not those of one sample (`e3d_lmp.analysis.map_checks`).
    """
    text = read_text(path, f"a map file ({FORMAT})")
    numbered = ((number, line.split("#")[0].split()) for number, line in enumerate(text.split("\n"), 1))
    rows = [(number, words) for number, words in numbered if words]
    found = rows[0][1][0] if rows else "nothing"
    if found != FORMAT:
        raise E3DError(
            f"{path}: expected a map of the format {FORMAT}, got '{found[:40]}'"
            + ("; this version of e3d cannot read it" if found.startswith("e3d-map/") else "")
        )
    if rows[-1][1] != ["end"]:
        raise E3DError(f"{path}: the map is cut off (its last line is not 'end'); make it again")
    number = 0
    header: dict[str, list[str]] = {}
    provenance: dict[str, str] = {}
    labels: dict[str, LabelMap] = {}
    at = 1
    try:
        while at < len(rows) - 1:
            number, words = rows[at]
            at += 1
            if words[0] == "label":
                if words[1] in labels:
                    raise ValueError("this label occurs twice")
                size = whole_number(words[8], 0, len(rows))
                bins = [row[1] for row in rows[at : at + size]]
                labels[words[1]] = _read_label(words, bins, _read_width(header["bin"]))
                at += size
            elif words[0] == "provenance" and words[1] not in provenance:
                provenance[words[1]] = " ".join(words[2:])
            elif words[0] in _HEADER and words[0] not in header:
                if len(words) < 2 or (words[0] != "cutoff" and len(words) != 1 + _HEADER[words[0]]):
                    raise ValueError(f"{len(words) - 1} words after '{words[0]}', not {_HEADER[words[0]]}")
                header[words[0]] = words[1:]
            else:
                raise ValueError(f"'{shortened(words[0])}' is not expected here")
        number = 1
        return _read_header(header, provenance, labels)
    except (ValueError, IndexError, KeyError) as error:
        what = f"no line {error}" if isinstance(error, KeyError) else str(error)
        what = "too few words" if isinstance(error, IndexError) else what
        raise E3DError(f"{path}, line {number}: not a line of {FORMAT}: {what}") from None


def _read_header(
    header: dict[str, list[str]], provenance: dict[str, str], labels: dict[str, LabelMap]
) -> EnergyMap:
    steps = None
    if "steps" in header:
        first, last = (whole_number(word) for word in header["steps"])
        if first > last:
            raise ValueError(f"a first step {first} after the last one, {last}")
        steps = first, last
    samples = whole_number(header["samples"][0], 0)
    if (samples > 0) != (steps is not None) or (not samples and any(one.count for one in labels.values())):
        raise ValueError(f"{samples} samples, but steps or pairs that say otherwise")
    unit = provenance.get("energy_unit", "eV")
    if unit not in ENERGY_UNITS:
        raise ValueError(f"energy_unit {shortened(unit)}: expected {' or '.join(ENERGY_UNITS)}")
    width = _read_width(header["bin"])
    return EnergyMap(width, " ".join(header["cutoff"]), samples, steps, labels, provenance)


def _read_width(words: list[str]) -> float:
    width = real_number(words[0])
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        raise ValueError(f"a bin width of {words[0]}; expected {WIDTHS[0]:g} to {WIDTHS[1]:g}")
    return width


def _read_label(words: list[str], rows: list[list[str]], width: float) -> LabelMap:
    name, count = words[1], whole_number(words[2], 0, MOST_PAIRS)
    if len(words) != 9 or len(rows) != int(words[8]) or any(len(row) != 3 for row in rows):
        raise ValueError("wrong number of words or bins")
    if not is_label(name):
        raise ValueError(f"'{shortened(name)}' is no pair of elements such as C-H")
    sum_D, sum_D2, sum_A, sum_A2, sum_absA = (real_number(word) for word in words[3:8])
    bins = np.array(
        [[whole_number(word, -BIN_LIMIT, BIN_LIMIT - 1) for word in row[:2]] for row in rows], dtype=np.int64
    ).reshape(-1, 2)
    halves = np.array([_halves(row[2]) for row in rows], dtype=np.int64)
    codes = bin_codes(bins[:, 0], bins[:, 1])
    if np.any(np.diff(codes) <= 0) or int(halves.sum()) != 2 * count:
        raise ValueError(f"{name}: bins must ascend, and their weights be positive and add up to {count}")
    one = LabelMap(count, sum_D, sum_D2, sum_A, sum_A2, sum_absA, codes, halves)
    try:
        check_bins(one, is_like(name))
        check_sums(one, is_like(name), width)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return one


def _halves(word: str) -> int:
    """Twice the weight of a bin, which is a whole number or ends in .5."""
    whole, point, half = word.partition(".")
    if point and half not in ("5", "0"):
        raise ValueError(f"expected a weight that is a multiple of 1/2, got '{shortened(word)}'")
    twice = 2 * whole_number(whole or "0", 0, MOST_PAIRS) + (half == "5")
    if not twice:
        raise ValueError(f"expected a weight above 0, got '{shortened(word)}'")
    return twice
