"""Frames for edge stores."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np

from e3d_lmp.edges.frames import Box, EdgeFrame
from edge_frames import random_cell, random_frame, take

CUTOFFS = np.full((2, 2), 2.5)
REQUEST = {"command": "test"}


@functools.cache
def _base_frames() -> list[EdgeFrame]:
    rng = np.random.default_rng(7)
    cell = random_cell(rng, 5.0, 6.0, True)
    frames = [random_frame(rng, 12, cell, CUTOFFS) for _ in range(3)]
    types = rng.integers(1, 3, 13).astype(np.int32)  # of an atom, the same in all frames
    frames = [replace(frame, type_i=types[frame.i], type_j=types[frame.j]) for frame in frames]
    frames[1] = replace(
        frames[1], box=Box(cell + 0.1, np.array([0.5, -1.0, 2.0]), np.array([True, False, True]))
    )
    return frames


def some_frames(n: int = 5) -> list[EdgeFrame]:
    """Frames of 12 atoms, which all have edges; their number differs."""
    rng = np.random.default_rng(8)
    frames = []
    for k in range(n):
        base = _base_frames()[k % 3]
        rows = np.arange(rng.integers(base.i.size // 2, base.i.size) if k % 4 == 3 else base.i.size)
        frame = take(base, rows)
        frames.append(replace(frame, step=10 * k, eps=rng.normal(-2.0, 0.7, rows.size)))
    return frames
