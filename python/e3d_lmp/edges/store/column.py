"""A column of an edge store while it is written: rows on the disk, and rows that wait for a whole chunk."""

from __future__ import annotations

import h5py
import numpy as np

from e3d_lmp.errors import E3DError


class GrowingColumn:
    """A data set that grows by its first axis, and the rows that wait to be written.

    Parameters
    ----------
    dataset
        In a file that is open for writing.
    end
        Rows of it that count; what lies beyond is written over.

    Attributes
    ----------
    end : rows that are written
    pending : rows that wait
    """

    def __init__(self, dataset: h5py.Dataset, end: int):
        self._dataset = dataset
        self.end = end
        self.dtype = dataset.dtype
        self.pending = 0
        self._parts: list[np.ndarray] = []

    @property
    def name(self) -> str:
        """Path of the data set in the file."""
        return self._dataset.name

    @property
    def is_longer(self) -> bool:
        """Whether the data set has rows beyond the last one written here."""
        return self._dataset.shape[0] > self.end

    def add(self, rows: np.ndarray, step: int | None = None) -> None:
        """Let rows wait; `step` is for messages.

        Raises
        ------
        E3DError
            An atom id does not fit into the data set.
        """
        if self.dtype == np.int32 and rows.dtype == np.int64 and rows.size and rows.max() >= 2**31:
            where = "" if step is None else f"step {step}: "
            raise E3DError(
                f"{where}atom id {rows.max()} does not fit into the store, whose first frame had ids below "
                "2^31; make it again with --long-ids"
            )
        self._parts.append(rows.astype(self.dtype))
        self.pending += rows.shape[0]

    def write(self, everything: bool) -> None:
        """Write all rows, or those that fill chunks."""
        chunk = self._dataset.chunks[0]
        full = (self.end + self.pending) // chunk * chunk - self.end
        self.write_first(self.pending if everything else full)

    def write_first(self, count: int) -> None:
        """Write the first rows that are pending."""
        if count <= 0:
            return
        rows = self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)
        end = self.end + count
        if self._dataset.shape[0] < end:
            self._dataset.resize(end, axis=0)
        self._dataset[self.end : end] = rows[:count]
        self._parts = [rows[count:].copy()] if count < rows.shape[0] else []
        self.end, self.pending = end, rows.shape[0] - count

    def count_up_to(self, end: int) -> int:
        """How many of the pending rows (first, end) reach no farther than `end`."""
        rows = np.concatenate(self._parts) if self._parts else np.zeros((0, 2), dtype=np.int64)
        self._parts = [rows] if len(rows) else []
        return int(np.searchsorted(rows[:, 1], end, side="right"))
