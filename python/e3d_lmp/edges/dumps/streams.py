"""The bytes of a dump: of a plain file, or unpacked (.gz, .zst), a bounded number at a time."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e3d_lmp.errors import E3DError
from e3d_lmp.files import input_file

PACKED_BYTES = 1 << 15
"""Bytes of a compressed file read at a time."""

ZST_BYTES = 1 << 10
"""Bytes of a .zst file unpacked at a time: four of them may stand for a block of 128 kB, and its decompressor
knows no limit of its own."""


class Inflating:
    """Plain text of a compressed file; a file that ends too early is read as far as it goes.

    Parameters
    ----------
    raw : the file as it lies on disk
    new : makes a decompressor (of `zlib` or `zstandard`) for the next member of the file
    is_limited : whether its ``decompress`` takes the largest number of bytes to give
    """

    def __init__(self, raw: Any, new: Callable[[], Any], is_limited: bool):
        self._raw, self._new, self._is_limited = raw, new, is_limited
        self._member = new()
        self._packed = b""

    def read(self, size: int) -> bytes:
        """About `size` bytes, b'' at the present end of the file; of a .zst up to 32 MB more."""
        parts: list[bytes] = []
        have = 0
        while have < size:
            if not self._packed:
                self._packed = self._raw.read(PACKED_BYTES)
            if self._member.eof and self._packed:
                self._packed = self._packed.lstrip(b"\0")  # padding behind the last member
                if not self._packed:
                    continue
                self._member = self._new()
            is_end = not self._packed
            part = self._inflate(size - have)
            if is_end and not part:
                break
            parts.append(part)
            have += len(part)
        return b"".join(parts)

    def _inflate(self, most: int) -> bytes:
        """Some plain bytes from the packed ones at hand; with none of these, what is left in the member."""
        member = self._member
        if member.eof:
            return b""
        if self._is_limited:
            part = member.decompress(self._packed, most)
            self._packed = member.unused_data if member.eof else member.unconsumed_tail
            return part
        if not self._packed:
            return b""
        piece, self._packed = self._packed[:ZST_BYTES], self._packed[ZST_BYTES:]
        part = member.decompress(piece)
        if member.eof:
            self._packed = member.unused_data + self._packed
        return part


def is_compressed(path: Path) -> bool:
    """Whether a file is read from its beginning only."""
    return path.suffix in (".gz", ".zst")


def open_stream(path: Path, expected: str) -> tuple[Any, Any]:
    """The file as it lies on disk, and the stream of its plain text.

    Parameters
    ----------
    expected
        What the file should hold, for the message.

    Raises
    ------
    E3DError
        It cannot be opened, or not be unpacked here.
    """
    input_file(path, expected)
    try:
        raw = open(path, "rb")
    except OSError as error:
        raise E3DError(f"{path}: {error.strerror}") from None
    if path.suffix == ".gz":
        return raw, Inflating(raw, lambda: zlib.decompressobj(wbits=31), is_limited=True)
    if path.suffix == ".zst":
        try:
            import zstandard
        except ImportError:
            raw.close()
            raise E3DError(
                f"{path}: reading .zst needs the zstandard module; "
                f"type 'pip install zstandard', or 'zstd -d {path}'"
            ) from None
        unpack = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        return raw, Inflating(raw, unpack.decompressobj, is_limited=False)
    return raw, raw
