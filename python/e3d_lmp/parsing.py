"""Numbers in the words of text files, within what the rest of the package can hold.

Python reads more than the formats mean (``1_000``, Arabic digits, any number of them, nan), and its own
messages do not say what was expected.
"""

from __future__ import annotations

import math
import re
from typing import Any

LARGEST = 2**63 - 1
"""Largest whole number of int64, in which steps, ids and counts are kept."""

LARGEST_REAL = 1e150
"""Numbers beyond this overflow when they are squared; no file of ours has any."""

_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_LONG = re.compile(r"[+-]?[0-9]{20,}")
_REAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


def whole_number(word: str, low: int = -LARGEST, high: int = LARGEST) -> int:
    """The whole number that a word is.

    Raises
    ------
    ValueError
        It is none, or not from `low` to `high`; the message says what was expected.
    """
    value = int(word) if _WHOLE.fullmatch(word) else None
    if value is None or not low <= value <= high:
        above = f" from {low}" if low > -LARGEST else ""
        is_large = _LONG.fullmatch(word) is not None or (value is not None and value > high)
        below = f" to {high}" if high < LARGEST or is_large else ""
        raise ValueError(f"expected a whole number{above}{below}, got '{shortened(word)}'")
    return value


def real_number(word: str, low: float = -math.inf, may_be_nan: bool = False) -> float:
    """The finite number that a word is, at least `low`; also nan where that is said.

    Raises
    ------
    ValueError
        It is none of them; the message says what was expected.
    """
    if may_be_nan and word in ("nan", "-nan"):
        return math.nan
    value = float(word) if len(word) <= 400 and _REAL.fullmatch(word) else math.nan
    if not (abs(value) <= LARGEST_REAL and value >= low):
        least = f" of at least {low:g}" if low > -math.inf else ""
        raise ValueError(f"expected a finite number{least}, got '{shortened(word)}'")
    return value


def json_whole(value: Any, low: int = -LARGEST, high: int = LARGEST) -> int:
    """A whole number of a JSON file from `low` to `high`; `ValueError` where it is none."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"expected a whole number from {low} to {high}, got {shortened(repr(value))}")
    return value


def json_real(value: Any, null: float | None = None) -> float:
    """A finite number of a JSON file, `null` in place of null if that is given; `ValueError` where it is
    none."""
    if value is None and null is not None:
        return null
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not abs(value) <= LARGEST_REAL:
        raise ValueError(f"expected a finite number, got {shortened(repr(value))}")
    return float(value)


def shortened(text: str, most: int = 60) -> str:
    """A text for a message, cut where it is long."""
    return text if len(text) <= most else f"{text[:most]}..."
