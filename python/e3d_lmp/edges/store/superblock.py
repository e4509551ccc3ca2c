"""The first bytes of an HDF5 file whose writer was killed.

A file that is open for writing says so in its superblock (version 3), and HDF5 refuses to open it for writing
again until that mark is gone. The tool ``h5clear`` takes it away; it does not come with h5py, so this module
does the same: it clears the mark, and lets the file end where it ends. HDF5 File Format Specification 3.0,
section II.A; the check sum is Bob Jenkins's ``lookup3`` (public domain), ``hashlittle`` with seed 0.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from e3d_lmp.errors import E3DError

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SIZE = 48
"""Bytes of a version 3 superblock with 8-byte addresses: signature, version, two sizes, marks, base address,
address of the extension, end of the file, root, check sum."""
_MARKS_AT, _END_AT = 11, 28

_MIX = ((0, 2, 4), (1, 0, 6), (2, 1, 8), (0, 2, 16), (1, 0, 19), (2, 1, 4))
_FINAL = ((2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16), (0, 2, 4), (1, 0, 14), (2, 1, 24))


def is_marked(path: Path) -> bool:
    """Whether a file says that it is open for writing; its writer may be alive or killed."""
    with open(path, "rb") as file:
        head = file.read(_SIZE)
    return head[:9] == _SIGNATURE + b"\x03" and head[_MARKS_AT] != 0


def revive(path: Path) -> bool:
    """Take the mark of a writer off a file that no one writes any more; whether there was one.

    Raises
    ------
    E3DError
        The file does not start with a whole superblock of version 3.
    """
    with open(path, "r+b") as file:
        head = bytearray(file.read(_SIZE))
        if len(head) < _SIZE or head[:9] != _SIGNATURE + b"\x03" or head[9:11] != b"\x08\x08":
            raise E3DError(f"{path}: not an edge store that can be gone on with; remove it and start again")
        if lookup3(bytes(head[:-4])) != int.from_bytes(head[-4:], "little"):
            raise E3DError(f"{path}: its first bytes are damaged; remove it and start again")
        if head[_MARKS_AT] == 0:
            return False
        head[_MARKS_AT] = 0
        head[_END_AT : _END_AT + 8] = struct.pack("<Q", os.fstat(file.fileno()).st_size)
        head[-4:] = struct.pack("<I", lookup3(bytes(head[:-4])))
        file.seek(0)
        file.write(head)
    return True


def lookup3(data: bytes, seed: int = 0) -> int:
    """Jenkins's ``hashlittle``: 32 bits."""
    a = b = c = (0xDEADBEEF + len(data) + seed) & 0xFFFFFFFF
    at = 0
    while len(data) - at > 12:
        x, y, z = struct.unpack_from("<III", data, at)
        a, b, c = (a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF
        for first, second, shift in _MIX:
            words = [a, b, c]
            words[first] = ((words[first] - words[second]) & 0xFFFFFFFF) ^ _turn(words[second], shift)
            words[second] = (words[second] + words[3 - first - second]) & 0xFFFFFFFF
            a, b, c = words
        at += 12
    if at == len(data):
        return c
    x, y, z = struct.unpack("<III", data[at:].ljust(12, b"\0"))
    a, b, c = (a + x) & 0xFFFFFFFF, (b + y) & 0xFFFFFFFF, (c + z) & 0xFFFFFFFF
    for target, source, shift in _FINAL:
        words = [a, b, c]
        words[target] = ((words[target] ^ words[source]) - _turn(words[source], shift)) & 0xFFFFFFFF
        a, b, c = words
    return c


def _turn(word: int, shift: int) -> int:
    return ((word << shift) | (word >> (32 - shift))) & 0xFFFFFFFF
