"""Databases of frames: what is written is read, and nothing that is read runs."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import lmdb
import numpy as np
import pytest

from e3d_lmp.errors import E3DError
from e3d_lmp.training.data.database import DATABASE, check_frames, entry, iter_frames, write_database


def _database(path: Path, count: int = 3) -> Path:
    rng = np.random.default_rng(1)
    numbers = np.array([8, 1, 1])
    frames = [
        entry(
            numbers,
            rng.normal(size=(3, 3)),
            -1.0 - k,
            rng.normal(size=(3, 3)),
            elements=["H", "O"],
            r_max=3.0,
        )
        for k in range(count)
    ]
    write_database(path, frames)
    return path


def _put(path: Path, key: bytes, value: bytes) -> None:
    with lmdb.open(str(path), subdir=False, lock=False, map_size=1 << 24) as database:
        with database.begin(write=True) as rows:
            rows.put(key, value)


def test_frames_are_those_that_nequip_reads(tmp_path: Path) -> None:
    from nequip.data.dataset import NequIPLMDBDataset

    path = _database(tmp_path / "a.lmdb")
    ours = list(iter_frames(path))
    dataset = NequIPLMDBDataset(str(path))
    assert len(ours) == len(dataset) == 3
    for k, frame in enumerate(ours):
        assert frame.keys() == dataset[k].keys()
        for name, value in frame.items():
            assert value.dtype == dataset[k][name].dtype and bool((value == dataset[k][name]).all()), name


class _Evil:
    def __init__(self, file: Path) -> None:
        self.file = str(file)

    def __reduce__(self):
        return os.mkdir, (self.file,)


def test_code_is_refused_and_not_run(tmp_path: Path) -> None:
    path = _database(tmp_path / "a.lmdb")
    _put(path, b"1", pickle.dumps({"pos": _Evil(tmp_path / "was_run")}))
    with pytest.raises(E3DError, match=r"a\.lmdb: not a database of frames \(posix\.mkdir is no data"):
        check_frames(path)
    assert not (tmp_path / "was_run").exists()


def test_code_within_a_tensor_is_refused(tmp_path: Path) -> None:
    """torch keeps a pickle of its own inside the pickle of a tensor."""
    import torch

    class Storage:
        def __reduce__(self):
            return torch.storage._load_from_bytes, (pickle.dumps(_Evil(tmp_path / "was_run")),)

    path = _database(tmp_path / "a.lmdb")
    _put(path, b"0", pickle.dumps({"pos": Storage()}))
    with pytest.raises(E3DError, match="not a database of frames"):
        check_frames(path)
    assert not (tmp_path / "was_run").exists()


def test_training_looks_through_every_database_it_names(tmp_path: Path) -> None:
    """Before nequip does, whatever the configuration wraps them in."""
    from e3d_lmp.training.run import train

    good, bad = _database(tmp_path / "a.lmdb"), _database(tmp_path / "b.lmdb")
    _put(bad, b"1", pickle.dumps({"pos": _Evil(tmp_path / "was_run")}))
    sets = [{"_target_": DATABASE, "file_path": str(path)} for path in (good, bad)]
    with pytest.raises(E3DError, match=r"b\.lmdb: not a database of frames"):
        train({"data": {"train_dataset": {"datasets": sets}}}, tmp_path / "run")
    assert not (tmp_path / "was_run").exists()


def test_damaged_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match="no such file; expected a database"):
        check_frames(tmp_path / "no.lmdb")
    (tmp_path / "b.lmdb").write_bytes(b"no database" * 1000)
    with pytest.raises(E3DError, match="not a database of frames"):
        check_frames(tmp_path / "b.lmdb")
    path = _database(tmp_path / "a.lmdb")
    _put(path, b"2", b"\x80\x05half")
    with pytest.raises(E3DError, match="not a database of frames"):
        check_frames(path)
