"""Training batches in an order that depends on a seed alone, so that a run can stop and go on anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

ENDLESS = 10**9
"""Batches of a run whose length is given in minutes."""


class SeededBatches(torch.utils.data.Sampler[list[int]]):
    """Numbers of the frames of each batch, from one pass over the data after the other.

    Pass k is the permutation of ``default_rng([seed, k])``; a batch may end one pass and begin the next. With
    several processes each takes its share of every batch in turn.

    Parameters
    ----------
    frames : frames of the data
    batch_size : frames of a batch and process
    seed : of the permutations
    """

    def __init__(self, frames: int, batch_size: int, seed: int) -> None:
        if frames < 1 or batch_size < 1:
            raise ValueError(f"expected frames and batch_size of at least 1, got {frames} and {batch_size}")
        self.frames, self.batch_size, self.seed = frames, batch_size, seed
        self.taken = 0

    def batch(self, number: int, rank: int = 0, ranks: int = 1) -> list[int]:
        """The frames of batch `number`, counted from 0, of process `rank`."""
        first = (number * ranks + rank) * self.batch_size
        return [self._frame(position) for position in range(first, first + self.batch_size)]

    def _frame(self, position: int) -> int:
        turn, place = divmod(position, self.frames)
        if getattr(self, "_turn", None) != turn:
            self._turn = turn
            self._order = np.random.default_rng([self.seed, turn]).permutation(self.frames)
        return int(self._order[place])

    def __iter__(self) -> Iterator[list[int]]:
        rank, ranks = 0, 1
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            rank, ranks = torch.distributed.get_rank(), torch.distributed.get_world_size()
        number = self.taken
        while True:
            yield self.batch(number, rank, ranks)
            number += 1


class ResumableLoader(torch.utils.data.DataLoader):
    """A loader of `steps` batches that remembers in checkpoints how many of them were taken.

    Parameters
    ----------
    dataset : frames
    batch_size, seed : see `SeededBatches`
    steps : batches in all; None: no end
    more : of ``torch.utils.data.DataLoader``
    """

    def __init__(
        self, dataset: Any, batch_size: int, seed: int, steps: int | None = None, **more: Any
    ) -> None:
        self.batches = SeededBatches(len(dataset), batch_size, seed)
        self.steps = ENDLESS if steps is None else steps
        super().__init__(dataset, batch_sampler=self.batches, **more)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        for batch in super().__iter__():
            if self.batches.taken >= self.steps:
                return
            self.batches.taken += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Batches taken so far."""
        return {"taken": self.batches.taken}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on after the batches of `state`."""
        self.batches.taken = int(state.get("taken", 0))
