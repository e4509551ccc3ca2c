"""``e3d analyze`` of map files: the numbers of the edges that the maps were made from."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from e3d_lmp.analysis.label_map import label_map
from e3d_lmp.analysis.maps import EnergyMap, read_map, write_map
from e3d_lmp.cli import main

LABELS = {"C-C": True, "C-H": False, "O-H": False}


def maps_of(folder: Path, parts: int = 3) -> tuple[list[Path], EnergyMap]:
    """Map files of parts of a sample, and the map of the whole."""
    rng = np.random.default_rng(3)
    values = {name: (rng.normal(-4, 0.5, 300), rng.normal(0.4, 0.2, 300)) for name in LABELS}
    about = {"provenance": {"model": "m.nequip.pth"}, "steps": (0, 10)}

    def one(rows: slice) -> EnergyMap:
        labels = {
            name: label_map(D[rows], A[rows], 0.1, LABELS[name], name) for name, (D, A) in values.items()
        }
        return EnergyMap(0.1, "covalent", samples=10, labels=labels, **about)

    paths = [folder / f"part{k}.e3d" for k in range(parts)]
    for k, path in enumerate(paths):
        write_map(one(slice(k * 300 // parts, (k + 1) * 300 // parts)), path)
    return paths, replace(one(slice(None)), samples=10 * parts)


def test_maps_give_the_tables_of_the_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths, whole = maps_of(tmp_path)
    assert main(["analyze", *map(str, paths), "-o", str(tmp_path / "out"), "--equal-size", "50"]) == 0
    assert "30 frames, bond cutoff covalent" in capsys.readouterr().out
    got = read_map(tmp_path / "out/map.e3d")
    rows = {row["pair"]: row for row in csv.DictReader((tmp_path / "out/pairs.csv").open())}
    assert set(rows) == set(LABELS)
    for name, want in whole.labels.items():
        assert dict(zip(got.labels[name].codes, got.labels[name].halves, strict=True)) == dict(
            zip(want.codes, want.halves, strict=True)
        )
        assert int(rows[name]["count"]) == want.count == 300
        assert float(rows[name]["mean_D_eV"]) == pytest.approx(want.mean_D, rel=1e-12)
        assert float(rows[name]["H_2D_nats"]) == pytest.approx(want.entropy_nats, rel=1e-12)
        assert float(rows[name]["H_low_nats"]) < float(rows[name]["H_high_nats"])
    assert not (tmp_path / "out/bonds.csv").exists() and (tmp_path / "out/maps.png").is_file()


def test_only_some_pairs(tmp_path: Path) -> None:
    paths, _ = maps_of(tmp_path, 1)
    assert main(["analyze", str(paths[0]), "-o", str(tmp_path / "out"), "--pairs", "H-C"]) == 0
    assert list(read_map(tmp_path / "out/map.e3d").labels) == ["C-H"]


def test_what_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A dump among maps, and maps of other bins."""
    paths, _whole = maps_of(tmp_path)
    (tmp_path / "edges.dump").write_text("ITEM: TIMESTEP\n0\n")
    words = ["analyze", str(paths[0]), str(tmp_path / "edges.dump"), "-o", str(tmp_path / "out")]
    assert main(words) == 2
    assert "edges.dump is not a map file, and others are" in capsys.readouterr().err
    write_map(EnergyMap(0.2, "covalent"), tmp_path / "other.e3d")
    assert main(["analyze", str(paths[0]), str(tmp_path / "other.e3d"), "-o", str(tmp_path / "out")]) == 2
    assert "error" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main(["analyze", str(paths[0]), str(paths[0]), "-o", str(tmp_path / "out")]) == 2
    assert "give each map once" in capsys.readouterr().err and not (tmp_path / "out").exists()
