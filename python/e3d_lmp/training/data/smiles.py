"""Total charge of a molecule, from its SMILES."""

from __future__ import annotations

import re

_BRACKET = re.compile(r"\[([^\]]*)\]")
_CHARGE = re.compile(r"(\++|-+)(\d*)(?::\d+)?$")


def formal_charge(smiles: str) -> int | None:
    """Sum of the formal charges in units of e; None for an empty string.

    Only atoms in brackets carry a charge: the signs, or sign and number, at the end of the bracket, before
    the atom's map number (``[N+:9]``, ``[Ca+2]``, ``[O--]``). Of a reaction ``A>>B`` the left side counts.
    """
    left = smiles.split(">")[0].strip()
    if not left:
        return None
    total = 0
    for atom in _BRACKET.findall(left):
        match = _CHARGE.search(atom)
        if match:
            sign = 1 if match[1][0] == "+" else -1
            total += sign * (int(match[2]) if match[2] else len(match[1]))
    return total
