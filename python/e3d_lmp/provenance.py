"""Lines of provenance: where numbers come from, as text that every file can hold."""

from __future__ import annotations


def plain_text(text: str) -> str:
    r"""The same text with the bytes of file names that are not UTF-8 written as ``\xff``.

    Python keeps such bytes as lone surrogates (`os.fsdecode`), which neither UTF-8 nor HDF5 can hold.
    """
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
