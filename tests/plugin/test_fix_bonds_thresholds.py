"""When a bond of ``fix e3d/bonds`` forms and breaks: the words of the input, right and wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms

from analytic_models import PairModel, metadata_of
from bond_runs import (
    ELEMENTS,
    ENERGY,
    FORM_OH,
    KJ_PER_MOL,
    REACH,
    energy_OH,
    placed,
    read_events,
    refused,
    same_events,
    script_of,
    water,
)
from e3d_lmp.analysis.label_map import LabelMap
from e3d_lmp.analysis.maps import EnergyMap, write_map
from e3d_lmp.model.export import write_edge_model
from lammps_runs import run_lammps, write_data
from tolerances import close

# ---------------------------------------------------------------- thresholds


def test_only_the_second_atom_sees_the_pair(tmp_path: Path) -> None:
    """Directed cutoffs that differ: H sees C to 2.0, C sees H to 1.2 only; the bond lives on by one edge."""
    parameters = torch.tensor([4.0, 1.5, 1.1], dtype=torch.float64).reshape(3, 1, 1).expand(3, 2, 2)
    cutoffs = torch.tensor([[2.0, 1.2], [2.0, 1.2]], dtype=torch.float64)
    share = torch.full((2, 2), 0.5, dtype=torch.float64)
    one = PairModel("morse", parameters.contiguous(), cutoffs, share)
    path = tmp_path / "directed.nequip.pth"
    write_edge_model(one, metadata_of(("C", "H"), cutoffs.reshape(-1).tolist()), path)
    for ranks, centre in ((1, 5.0), (2, 5.0), (2, 4.5)):
        folder = tmp_path / f"{ranks}-{centre}"
        folder.mkdir()
        atoms = Atoms("CH", positions=[[centre - 0.2, 4, 4], [centre + 0.8, 4, 4]], cell=[10, 8, 8])
        write_data(folder / "data.lmp", atoms, ("C", "H"))
        body = """group h id 2
fix b all e3d/bonds 1 file events.txt species species.txt cutoff model form -3.0 break -1.2
fix pull h move linear 20.0 0.0 0.0
run 90
"""
        run_lammps(script_of(path, body).replace("C H O", "C H"), folder, ranks)
        _, rows = read_events(folder / "events.txt")
        r = 1.0 + 0.01 * np.arange(91)
        e = np.exp(-1.5 * (r - 1.1))
        D = 4.0 * (e * e - 2 * e) * np.where(r < 1.2, 1.0, 0.5)
        step = int(np.flatnonzero(D > -1.2)[0])
        want = [[str(step), "1", "2", "1", "2", "C-H", str(D[step]), str(-D[step]), str(r[step]), "broken"]]
        same_events(rows, want, ENERGY)
        assert r[step] > 1.25


def test_distance_criterion(tmp_path: Path, morse_cho: Path) -> None:
    """form 1.2, break 1.6 angstrom; without numbers 0.9 of the cutoff and the cutoff."""
    write_data(tmp_path / "data.lmp", water(), ELEMENTS)
    fixes = """
group h id 2
fix b all e3d/bonds 1 file events.txt criterion distance cutoff file cutoffs.txt form O-H 1.2 break O-H 1.6
fix d all e3d/bonds 1 file defaults.txt criterion distance
"""
    pull = "fix pull h move linear 20 0 0\nrun 90\nunfix pull\nfix pull h move linear -20 0 0\nrun 90\n"
    (tmp_path / "cutoffs.txt").write_text(f"O H {REACH}\n")
    run_lammps(script_of(morse_cho, fixes + pull), tmp_path)
    header, rows = read_events(tmp_path / "events.txt")
    assert sorted(header) == ["break O-H", "criterion", "cutoff file", "form O-H", "units"]
    assert [row[9] for row in rows] == ["broken", "formed"]
    close("r", [float(rows[0][8]), float(rows[1][8])], [1.605, 1.195], 0.0051)

    header, rows = read_events(tmp_path / "defaults.txt")
    limit = 1.3 * (0.66 + 0.31)
    close("defaults", [float(header[f"{w} O-H"]) for w in ("break", "form")], [limit, 0.9 * limit], 1e-9)
    assert [row[9] for row in rows] == ["broken", "formed"]
    assert rows[0][6:9] == ["nan"] * 3
    close("formed", float(rows[1][8]), 0.9 * limit - 0.005, 0.0051)


def label_map(mean: float, count: int = 4) -> LabelMap:
    """Moments only."""
    return LabelMap(
        count=count,
        sum_D=mean * count,
        sum_D2=mean * mean * count,
        codes=np.array([1 << 31], dtype=np.int64),
        halves=np.array([2 * count], dtype=np.int64),
    )


def test_thresholds_of_the_words(tmp_path: Path, morse_cho: Path) -> None:
    """Map, one number for all, one number for a pair, and what follows where one of two is given."""
    write_data(tmp_path / "data.lmp", placed(["CH3CH2OH", "H2O", "H2"]), ELEMENTS)
    labels = {"O-H": label_map(-4.4), "C-H": label_map(-3.8), "C-O": LabelMap(), "C-C": label_map(0.1)}
    write_map(EnergyMap(0.1, "covalent", 1, (0, 0), labels), tmp_path / "own.map")
    words = {
        "table": "",
        "map": "form map own.map break map own.map",
        "all": "form -1.5",
        "pairs": "break -0.5 form H-C -3.0 break C-H -2.5",
        "mixed": "form map own.map form O-H -4",
    }
    body = "".join(f"fix {name} all e3d/bonds 1 file {name}.txt {w}\n" for name, w in words.items())
    run_lammps(script_of(morse_cho, body + "run 0"), tmp_path)
    table = {"C-C": 348, "C-O": 358, "C-H": 413, "O-O": 146, "O-H": 463, "H-H": 436}
    enthalpy = {label: value * KJ_PER_MOL for label, value in table.items()}
    halves = {label: (-value / 2, -value / 4) for label, value in enthalpy.items()}
    from_map = halves | {"O-H": (-2.2, -1.1), "C-H": (-1.9, -0.95)}
    expected = {
        "table": halves,
        "map": from_map,
        "all": dict.fromkeys(table, (-1.5, -0.75)),
        "pairs": dict.fromkeys(table, (-1.0, -0.5)) | {"C-H": (-3.0, -2.5)},
        "mixed": from_map | {"O-H": (-4.0, -2.0)},
    }
    for name, want in expected.items():
        header, _ = read_events(tmp_path / f"{name}.txt")
        for label, values in want.items():
            got = [float(header[f"{word} {label}"]) for word in ("form", "break")]
            close(f"{name} {label}", got, values, 1e-12)
        assert len(header) == 3 + 2 * len(table)


def test_units_real(tmp_path: Path, morse_cho: Path) -> None:
    """Energies of thresholds, events and maps in kcal/mol; a map in kcal/mol too if it says so."""
    write_data(tmp_path / "data.lmp", water(), ELEMENTS)
    write_map(EnergyMap(0.1, "covalent", 1, (0, 0), {"O-H": label_map(-4.0)}), tmp_path / "ev.map")
    real = EnergyMap(
        1.0, "covalent", 1, (0, 0), {"O-H": label_map(-80.0)}, {"units": "real", "energy_unit": "kcal/mol"}
    )
    write_map(real, tmp_path / "kcal.map")
    body = f"""
group h id 2
fix b all e3d/bonds 1 file events.txt cutoff {REACH}
fix c all e3d/bonds 1 file ev.txt form map ev.map
fix d all e3d/bonds 1 file kcal.txt form map kcal.map
fix pull h move linear 0.02 0.0 0.0
timestep 0.5
run 100
"""
    run_lammps(script_of(morse_cho, body, units="real"), tmp_path)
    header, rows = read_events(tmp_path / "events.txt")
    kcal = 23.060549
    close("form", float(header["form O-H"]), FORM_OH * kcal, 1e-9)
    assert header["units"] == "real"
    (row,) = rows
    D, A = energy_OH(float(row[8]))
    close("D, A", [float(row[6]), float(row[7])], [D * kcal, A * kcal], 1e-5)
    close("map", float(read_events(tmp_path / "ev.txt")[0]["form O-H"]), -2.0 * kcal, 1e-9)
    close("map", float(read_events(tmp_path / "kcal.txt")[0]["form O-H"]), -40.0, 1e-9)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("0 file e.txt", r"fix b e3d/bonds: Nevery must be a positive number of steps, not 0"),
        ("x file e.txt", r"Expected integer .*'x'"),
        ("1 files e.txt", r"unknown keyword 'files'; it takes 'file F', 'form D', 'break D', 'cutoff C'"),
        ("1 species e.txt", r"give the file of the events, as in 'fix b all e3d/bonds 1 file bonds.txt'"),
        ("1 file", r"[Mm]issing|Illegal fix b e3d/bonds"),
        ("1 file e.txt form", r"fix b e3d/bonds form.*missing"),
        ("1 file e.txt form C-H", r"fix b e3d/bonds form C-H.*missing"),
        (
            "1 file e.txt form low",
            r"form takes a number, a pair and a number such as 'C-H -2.0', or 'map FILE'",
        ),
        ("1 file e.txt form C-N -2", r"unknown pair 'C-N'; choose from: C-C C-O C-H O-O O-H H-H"),
        ("1 file e.txt form nan", r"form takes a number, a pair and a number .* not 'nan'"),
        ("1 file e.txt form C-H low", r"Expected floating point .*'low'"),
        (
            "1 file e.txt form -1 break -2",
            r"of C-C have to be form < break < 0, but form is -1 and break is -2",
        ),
        ("1 file e.txt form -1 break -1", r"have to be form < break < 0"),
        ("1 file e.txt form -1 break 0", r"have to be form < break < 0, but form is -1 and break is 0"),
        ("1 file e.txt form 2", r"have to be form < break < 0"),
        ("1 file e.txt form map gone.map", r"cannot open the map gone\.map: give a file of fix e3d/map"),
        ("1 file e.txt form map data.lmp", r"expected a map of the format e3d-map/1 in data\.lmp"),
        ("1 file e.txt break map cut.map", r"map cut\.map is cut off"),
        ("1 file e.txt form map odd.map", r"not a line of e3d-map/1 in odd\.map: label C-H many"),
        ("1 file e.txt criterion length", r"criterion must be energy or distance, not 'length'"),
        ("1 file e.txt criterion distance form map own.map", r"a map holds energies"),
        (
            "1 file e.txt criterion distance form 1.5 cutoff 1.2",
            r"0 < form < break <= the bond cutoff.*form is 1.5",
        ),
        (
            "1 file e.txt criterion distance break 1.9",
            r"break is 1\.9 and the cutoff is 1\.976 Angst|break is 1.9",
        ),
        ("1 file e.txt criterion distance form -1", r"have to be 0 < form < break"),
        ("1 file e.txt cutoff", r"fix b e3d/bonds cutoff.*missing"),
        ("1 file e.txt cutoff 5", r"bond cutoff 5 Angstrom for C-C is longer than the model's cutoff of 2"),
        ("1 file e.txt cutoff file gone.txt", r"cannot open bond cutoff file gone\.txt"),
        ("1 file e.txt species e.txt", r"file and species need two different files, not e\.txt twice"),
        ("1 file nowhere/e.txt", r"cannot write the file nowhere/e\.txt: No such file or directory"),
        ("1 file e.txt species nowhere/s.txt", r"cannot write the file nowhere/s\.txt: No such file"),
        ("1 file .", r"cannot write the file \."),
    ],
)
def test_bad_arguments(words: str, message: str, tmp_path: Path, morse_cho: Path) -> None:
    """Each with a message that says what to type."""
    (tmp_path / "cut.map").write_text("e3d-map/1\nbin 0.1\n")
    (tmp_path / "odd.map").write_text("e3d-map/1\nbin 0.1\nlabel C-H many\nend\n")
    script = script_of(morse_cho, "fix 1 all nve\nrun 1")
    fix = f"fix b all e3d/bonds {words}\npair_style"  # before the model is loaded, which takes a second
    refused(tmp_path, script.replace("pair_style", fix), message)


@pytest.mark.parametrize("ranks", [1, 2])
def test_unwritable_file_on_ranks(ranks: int, tmp_path: Path, morse_cho: Path) -> None:
    """All ranks stop together."""
    script = script_of(morse_cho, "fix b all e3d/bonds 1 file nowhere/e.txt\nfix 1 all nve\nrun 1")
    refused(tmp_path, script, "cannot write the file nowhere/e.txt", ranks=ranks)


def test_no_pair_style(tmp_path: Path) -> None:
    """The message names the pair style that is needed."""
    script = script_of("x", "fix b all e3d/bonds 1 file e.txt\nfix 1 all nve\nrun 1")
    script = re.sub("pair_style.*\npair_coeff.*", "pair_style lj/cut 3.0\npair_coeff * * 0.01 1.0", script)
    refused(tmp_path, script, "fix b e3d/bonds needs exactly one pair_style e3d")


def test_pairs_without_a_default(tmp_path: Path, model_files: Callable[..., Path]) -> None:
    """Cu-Cu is in no table of bond enthalpies: the message has the line to type. A lone Cu is no obstacle."""
    for symbols, cutoff, message in (
        ("Cu2", 3.0, "for bonds Cu-Cu: .*'form Cu-Cu -1.0 break Cu-Cu -0.5'"),
        ("Cu", 3.0, ""),
    ):
        atoms = Atoms(symbols, positions=[[1.0 + 2.5 * k, 1.0, 1.0] for k in range(len(Atoms(symbols)))])
        atoms.cell = [12.0, 12.0, 12.0]
        write_data(tmp_path / "data.lmp", atoms, ("Cu", "Ag"))
        body = f"fix b all e3d/bonds 1 file e.txt cutoff {cutoff}\nfix 1 all nve\nrun 1"
        script = script_of(model_files("morse"), body).replace("C H O", "Cu Ag")
        if message:
            refused(tmp_path, script, message, data=False)
            body = body.replace("cutoff", "form -0.3 cutoff")
            run_lammps(script_of(model_files("morse"), body).replace("C H O", "Cu Ag"), tmp_path)
        else:
            run_lammps(script, tmp_path)


def test_changed_pairs(tmp_path: Path, morse_cho: Path) -> None:
    """Other pairs in a later run are not mixed into the same file."""
    body = f"""
fix b all e3d/bonds 1 file e.txt
run 0
pair_coeff * * {morse_cho} C C O
run 0
"""
    message = "thresholds have changed since e.txt was begun: 'unfix b'"
    refused(tmp_path, script_of(morse_cho, body), message, runs=1)


def test_default_table_is_the_package_file() -> None:
    """Labels are canonical and known once; energies are of single bonds, the strongest is H-F."""
    from importlib import resources

    text = resources.files("e3d_lmp").joinpath("data/bond_energies.txt").read_text(encoding="ascii")
    rows = [line.split() for line in text.splitlines() if not line.startswith("#")]
    table = {label: float(value) for label, value in rows}
    assert len(table) == len(rows) > 30
    for label in table:
        a, b = label.split("-")
        assert (a == "H", a) <= (b == "H", b), label
    assert 100.0 < min(table.values()) and max(table, key=lambda label: table[label]) == "F-H"
