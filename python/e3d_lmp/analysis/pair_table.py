"""Tables by pair label: moments of D and A with H_2D, and what H_2D is uncertain by."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from e3d_lmp.analysis.label_map import LabelMap
from e3d_lmp.analysis.maps import EnergyMap
from e3d_lmp.analysis.reducers import OffsetReducer
from e3d_lmp.analysis.sampling import (
    at_equal_size,
    bootstrap_interval,
    entropy_nats,
    generator_of,
    spread_over_offsets,
)
from e3d_lmp.edges.pairs import is_like
from e3d_lmp.tables import Column, name_ending

LEVEL = 0.95
"""Share of the bootstrap repeats within the interval."""

LEAST_BLOCKS = 8
"""With fewer blocks of frames, single pairs are resampled."""

CORRECTED = {"miller-madow": "H_miller_madow", "grassberger": "H_grassberger", "chao-shen": "H_chao_shen"}
"""Corrected estimators and the names of their columns, without the unit."""


def pair_columns(unit: str = "eV") -> tuple[Column, ...]:
    """Columns of the pair table; the names of energies end in their unit (``mean_D_eV``)."""
    ending = name_ending(unit)
    return (
        Column("pair", "pair"),
        Column("count", "count"),
        Column(f"mean_D_{ending}", "mean D", unit, ".4f"),
        Column(f"std_D_{ending}", "std D", unit, ".4f"),
        Column(f"mean_absA_{ending}", "mean |A|", unit, ".4f"),
        Column(f"std_A_{ending}", "std A", unit, ".4f"),
        Column("H_2D_nats", "H_2D", "nats", ".4f"),
        Column("H_2D_bits", "H_2D", "bits", ".4f"),
    )


def pair_table(result: EnergyMap) -> list[dict[str, Any]]:
    """One row per pair label, the commonest first, with the columns of `pair_columns`; standard deviations
    are population ones."""
    names = [column.name for column in pair_columns(result.unit)]
    rows = []
    for label in result.by_count():
        one = result.labels[label]
        moments = (one.mean_D, one.std_D, one.mean_absA, one.std_A)
        values = (label, one.count, *moments, one.entropy_nats, one.entropy_bits)
        rows.append(dict(zip(names, values, strict=True)))
    return rows


def pair_header(result: EnergyMap) -> dict[str, Any]:
    """What ``pairs.json`` says about a sample beside its pair table."""
    return {
        "format": "e3d-pairs/1",
        "cutoff": result.cutoff,
        f"bin_{name_ending(result.unit)}": result.width,
        "samples": result.samples,
        "steps": result.steps,
        "provenance": result.provenance,
    }


def entropy_columns(equal_size: int | None = None) -> tuple[Column, ...]:
    """Columns of the table of entropies, all in nats."""
    columns = [
        Column("pair", "pair"),
        Column("count", "count"),
        Column("H_2D_nats", "plug-in", "", ".4f"),
        Column("H_low_nats", "95 % low", "", ".4f"),
        Column("H_high_nats", "high", "", ".4f"),
        Column("H_miller_madow_nats", "Miller-Madow", "", ".4f"),
        Column("H_grassberger_nats", "Grassberger", "", ".4f"),
        Column("H_chao_shen_nats", "Chao-Shen", "", ".4f"),
        Column("H_offset_low_nats", "offsets low", "", ".4f"),
        Column("H_offset_high_nats", "high", "", ".4f"),
    ]
    if equal_size is not None:
        columns += [
            Column("H_equal_size_nats", f"{equal_size} pairs", "", ".4f"),
            Column("H_equal_size_std_nats", "std", "", ".4f"),
        ]
    return tuple(columns)


def entropy_table(
    result: EnergyMap,
    blocks: Sequence[EnergyMap] = (),
    finer: Mapping[str, LabelMap] | None = None,
    equal_size: int | None = None,
) -> list[dict[str, Any]]:
    """What H_2D of each label is uncertain by, one row per label as in `pair_table`.

    Parameters
    ----------
    result
        The maps.
    blocks
        Maps of blocks of frames, drawn with replacement for the interval; with fewer than `LEAST_BLOCKS`
        blocks that have the label, pairs are drawn.
    finer
        Histograms of `OffsetReducer`; without them the spread over bin offsets is nan.
    equal_size
        Number of pairs to draw for an entropy at equal size; nan for labels with fewer pairs.
    """
    rows = []
    for label in result.by_count():
        one, like = result.labels[label], is_like(label)
        rng = generator_of(label)
        parts = [block.labels[label] for block in blocks if label in block.labels]
        parts = [part for part in parts if part.count]
        interval = bootstrap_interval(
            parts if len(parts) >= LEAST_BLOCKS else one, like, rng, level=LEVEL, repeats=200
        )
        offset = (math.nan, math.nan)
        if finer and label in finer:
            spread = spread_over_offsets(finer[label], OffsetReducer.OFFSETS)
            offset = (min(spread.low, one.entropy_nats), max(spread.high, one.entropy_nats))
        row = {
            "pair": label,
            "count": one.count,
            "H_2D_nats": one.entropy_nats,
            "H_low_nats": interval.low,
            "H_high_nats": interval.high,
            **{f"{column}_nats": entropy_nats(one, like, name) for name, column in CORRECTED.items()},
            "H_offset_low_nats": offset[0],
            "H_offset_high_nats": offset[1],
        }
        if equal_size is not None:
            enough = one.count >= equal_size
            drawn = at_equal_size(one, like, equal_size, rng) if enough else None
            row["H_equal_size_nats"] = drawn.mean if drawn else math.nan
            row["H_equal_size_std_nats"] = drawn.std if drawn else math.nan
        rows.append(row)
    return rows
