"""Many structures: side by side, cut off, gone on with."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from e3d_lmp.analysis.dissociation.smiles import Smiles, smiles_file
from e3d_lmp.analysis.dissociation.work import results
from e3d_lmp.edges.structures import Structure
from e3d_lmp.errors import E3DError

CALLS: list[str] = []


def task(structure: Structure) -> dict[str, Any]:
    """What the tests do with a structure, at the top of a module so that other processes find it."""
    CALLS.append(structure.name)
    if len(structure.numbers) == 3:
        raise E3DError("three atoms")
    return {"rows": [{"x": float(len(structure.numbers)), "y": math.nan}]}


def make_task() -> Any:
    return task


def make_nothing() -> Any:
    raise E3DError("no such model")


def structures(count: int) -> list[tuple[int, Structure]]:
    empty = (np.zeros((3, 3)), np.zeros(3, bool), math.nan)
    return [(k, Structure(f"s/{k}", np.ones(k, np.int64), np.zeros((k, 3)), *empty)) for k in range(count)]


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_in_order(tmp_path: Path, jobs: int) -> None:
    seen: list[int] = []
    found = results(tmp_path / "w.jsonl", {"a": 1}, structures(9), make_task, jobs, done=seen.append)
    assert [one["number"] for one in found] == list(range(9))
    assert found[3] == {"number": 3, "name": "s/3", "error": "three atoms"}
    assert [one["rows"][0]["x"] for one in found if "rows" in one] == [0, 1, 2, 4, 5, 6, 7, 8]
    assert seen == list(range(10))


def test_what_is_there_is_not_done_again(tmp_path: Path) -> None:
    file = tmp_path / "w.jsonl"
    whole = results(file, {"a": (1, 2)}, structures(6), make_task)
    lines = file.read_text().splitlines(keepends=True)
    for cut in ("".join(lines[:4]), "".join(lines[:4]) + lines[4][:10]):
        file.write_text(cut)
        CALLS.clear()
        again = results(file, {"a": (1, 2)}, structures(6), make_task)
        assert CALLS == ["s/3", "s/4", "s/5"]
        assert json.dumps(again, sort_keys=True) == json.dumps(
            [json.loads(line) for line in lines[1:]], sort_keys=True
        )
        assert file.read_text() == "".join(lines)
    assert len(whole) == 6
    file.write_text(lines[0][:20])  # killed while it wrote its first line
    assert len(results(file, {"a": (1, 2)}, structures(6), make_task)) == 6


def test_another_request_is_not_mixed_in(tmp_path: Path) -> None:
    file = tmp_path / "w.jsonl"
    results(file, {"model": "a", "fmax": 0.01}, structures(3), make_task)
    before = file.read_bytes()
    with pytest.raises(E3DError, match="begun with other model; choose another -o"):
        results(file, {"model": "b", "fmax": 0.01}, structures(3), make_task)
    assert file.read_bytes() == before
    results(file, {"model": "b"}, structures(2), make_task, overwrite=True)
    for text in ("not json\n", '{"format": "other/1"}\n', '{"format": "e3d-bde-rows/1"}\n', "[1]\n"):
        file.write_text(text)
        with pytest.raises(E3DError, match="damaged, or no file of 'e3d bde'"):
            results(file, {}, structures(2), make_task)


def test_one_at_a_time(tmp_path: Path) -> None:
    from e3d_lmp.files import locked

    with locked(tmp_path), pytest.raises(E3DError, match="another e3d is at work"):
        results(tmp_path / "w.jsonl", {}, structures(2), make_task)


def test_a_model_that_cannot_be_loaded_is_one_error(tmp_path: Path) -> None:
    for jobs in (1, 2):
        with pytest.raises(E3DError, match="no such model"):
            results(tmp_path / f"{jobs}.jsonl", {}, structures(2), make_nothing, jobs)


def test_smiles_become_structures_where_they_are_worked_on(tmp_path: Path) -> None:
    file = tmp_path / "m.smi"
    file.write_text("# mine\nC#N hydrogen cyanide\n\nO\nC1CC bad\n")
    molecules = list(smiles_file(file))
    assert molecules == [Smiles("hydrogen cyanide", "C#N"), Smiles("O", "O"), Smiles("bad", "C1CC")]
    found = results(tmp_path / "w.jsonl", {}, enumerate(molecules), make_task)
    assert "cannot read this SMILES" in found[2]["error"]
    assert found[1]["error"] == "three atoms" and found[0]["error"] == "three atoms"
