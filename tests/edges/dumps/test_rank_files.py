"""Files of ranks as LAMMPS itself writes them: with headers (local/gz), and without (local)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from e3d_lmp import cli
from e3d_lmp.edges.dumps.reader import AtomReader, DumpReader
from e3d_lmp.errors import E3DError
from edge_frames import NAMES
from gas_runs import ELEMENTS, gas, script_of
from lammps_runs import run_lammps, write_data

COLUMNS = " ".join(f"c_E[{k + 1}]" for k in range(len(NAMES)))
TITLES = " ".join(f"colname {k + 1} {name}" for k, name in enumerate(NAMES))


def dump(name: str, style: str, file: str, more: str = "") -> str:
    return (
        f"dump {name} all {style} 5 {file} {COLUMNS}\ndump_modify {name} {more} format float %.17g {TITLES}\n"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, model_files) -> Path:
    """A run of three ranks, its edges dumped in every way."""
    folder = tmp_path_factory.mktemp("ranks")
    write_data(folder / "data.lmp", gas(40), ELEMENTS)
    body = f"""fix md all nve
timestep 0.001
compute E all e3d/edge/local {" ".join(NAMES)}
{dump("a", "local", "whole.dump")}
{dump("b", "local/gz", "packed.%.dump.gz")}
{dump("c", "local", "plain.%.dump")}
{dump("d", "local", "few.%.dump", "nfile 2")}
{dump("e", "local", "step.%.*.dump")}
{dump("f", "local", "every.*.dump")}
dump g all custom 5 atoms.%.dump id type x y z
dump h all custom 5 atoms.dump id type x y z
run 10
"""
    run_lammps(script_of(model_files("morse"), body), folder, ranks=3)
    return folder


def edges_of(reader: DumpReader) -> list[np.ndarray]:
    """Of each frame the edges, as rows in an order of their own."""
    tables = []
    for frame in reader:
        rows = np.column_stack([frame.i, frame.j, frame.type_i, frame.type_j, frame.vec, frame.eps])
        tables.append(rows[np.lexsort(rows.T[::-1])])
    return tables


@pytest.mark.parametrize("files", ["packed.*.dump.gz", "every.*.dump"])
def test_files_with_headers_are_the_whole(folder: Path, files: str) -> None:
    whole = edges_of(DumpReader(folder / "whole.dump"))
    found = edges_of(DumpReader(str(folder / files)))
    assert len(whole) == 3 and all(len(table) > 100 for table in whole)
    for got, expected in zip(found, whole, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert len(list(folder.glob("packed.*"))) == 3


@pytest.mark.parametrize(
    "files", ["plain.*.dump", "few.*.dump", "step.*.0.dump", "plain.0.dump", "few.0.dump", "plain.2.dump"]
)
def test_files_without_headers_say_what_to_type(folder: Path, files: str, tmp_path: Path, capsys) -> None:
    """Also the first file alone, which looks like a whole dump of fewer edges."""
    words = ["--types", *ELEMENTS, "--skip-unpaired", "-o", str(tmp_path / "out")]
    assert cli.main(["analyze", str(folder / files), *words]) == 2
    said = capsys.readouterr().err
    assert "without a header; LAMMPS writes the headers of 'dump local' into the first file only" in said
    assert "local/gz N edges.%.dump.gz" in said and said.count("\n") == 1
    with pytest.raises(E3DError, match="without a header"):
        list(DumpReader(str(folder / files)))


def test_files_of_atoms_have_headers(folder: Path) -> None:
    for (step, got), (same, expected) in zip(
        AtomReader(str(folder / "atoms.?.dump")), AtomReader(folder / "atoms.dump"), strict=True
    ):
        assert step == same
        np.testing.assert_array_equal(got.id, expected.id)
        np.testing.assert_array_equal(got.position, expected.position)
