"""``e3d run --map --bonds --species``: the fixes asked for, and their files beside those of the samples."""

from __future__ import annotations

from pathlib import Path

import pytest

from e3d_lmp import cli
from e3d_lmp.analysis.events import read_events
from e3d_lmp.analysis.maps import read_map
from e3d_lmp.analysis.species import read_species
from e3d_lmp.errors import E3DError
from e3d_lmp.runs.insitu import fix_commands
from e3d_lmp.units import KCAL_MOL_PER_EV
from simulated_runs import CUTOFF, e3d_in


def test_commands():
    out = Path("my out")
    assert fix_commands(out, "covalent") == []
    assert fix_commands(out, "file r.txt", [5, 2, 10], 0.2, ["C-H", "H-O"]) == [
        'fix e3d_run_map all e3d/map 5 2 10 file "my out/insitu.e3d" bin 0.2 cutoff file r.txt pairs C-H H-O '
        "ave running"
    ]
    assert fix_commands(out, "2.5", bonds_every=7) == [
        'fix e3d_run_bonds all e3d/bonds 7 file "my out/bonds.txt" cutoff 2.5'
    ]
    thresholds = {"form": [["-1.5"], ["C-H", "-2"]], "break_off": [["-1"]]}
    assert fix_commands(out, "2.5", bonds_every=7, **thresholds)[0].endswith(
        "cutoff 2.5 form -1.5 form C-H -2 break -1"
    )
    assert fix_commands(out, "2.5", [1, 1, 1], bonds_every=7, species=True)[1].endswith(
        'cutoff 2.5 species "my out/species.txt"'
    )


BONDS = ("--bonds", "5", "--species", "--form", "-0.0099", "--break", "Ar-Ar", "-0.009")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": [5, 0, 10]}, "whole numbers of steps from 1, got 0"),
        ({"bonds_every": -3}, "got -3"),
        ({"species": True}, "--bonds 100 --species"),
        ({"form": [["-1"]]}, "--form and --break need --bonds"),
    ],
)
def test_bad_numbers(options, message):
    with pytest.raises(E3DError, match=message):
        fix_commands(Path("o"), "covalent", **options)


def test_command_line_refuses_before_the_run(tmp_path, capsys):
    assert cli.main(["run", "absent", "-o", str(tmp_path / "o"), "--species"]) == 2
    assert "--bonds 100 --species" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("ranks", [1, 2])
def test_map_of_the_fix_is_the_map_of_the_samples(run_folder, ranks):
    words = ["run", "in.lj", "-v", "model", "lj.nequip.pth", "--every", "5", "--cutoff", CUTOFF, "-o", "r"]
    done = e3d_in(run_folder, *words, "--quiet", "--map", "5", "1", "5", ranks=ranks)
    assert done.returncode == 0, done.stdout + done.stderr
    sampled, insitu = read_map(run_folder / "r/map.e3d"), read_map(run_folder / "r/insitu.e3d")
    assert (insitu.samples, insitu.steps, insitu.cutoff) == (sampled.samples, sampled.steps, sampled.cutoff)
    one, other = sampled.labels["Ar-Ar"], insitu.labels["Ar-Ar"]
    assert one.count == other.count > 100
    assert one.codes.tolist() == other.codes.tolist() and one.halves.tolist() == other.halves.tolist()
    assert other.mean_D == pytest.approx(one.mean_D, rel=1e-12)
    assert "r/insitu.e3d" in done.stdout


def test_bonds_and_species_of_the_fix(run_folder):
    words = ["run", "in.lj", "-v", "model", "lj.nequip.pth", "--every", "5", "--cutoff", CUTOFF, "-o", "r"]
    done = e3d_in(run_folder, *words, "--quiet", *BONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    events, species = read_events(run_folder / "r/bonds.txt"), read_species(run_folder / "r/species.txt")
    assert (events.criterion, events.units) == ("energy", "metal")
    assert (events.form, events.break_off) == ({"Ar-Ar": -0.0099}, {"Ar-Ar": -0.009})
    assert len(events) > 0 and set(events.label) == {"Ar-Ar"}
    formed = events.event == "formed"
    assert (events.D[formed] < -0.0099).all() and not (events.D[~formed] <= -0.009).any()
    assert sorted(set(species.step.tolist())) == [0, 5, 10, 15, 20, 25, 30]
    assert f"{len(events)} bonds formed or broke" in done.stdout and "Ar" in done.stdout
    assert (run_folder / "r/species.png").read_bytes().startswith(b"\x89PNG")


def test_bins_of_the_fix_are_those_of_the_samples_in_units_real(run_folder):
    text = (run_folder / "in.lj").read_text().replace("units metal", "units real")
    (run_folder / "in.lj").write_text(text.replace("timestep 0.002", "timestep 2.0"))
    words = ["run", "in.lj", "-v", "model", "lj.nequip.pth", "-v", "steps", "5", "--every", "5", "-o", "r"]
    done = e3d_in(run_folder, *words, "--cutoff", CUTOFF, "--bin", "0.002", "--quiet", "--map", "5", "1", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    sampled, insitu = read_map(run_folder / "r/map.e3d"), read_map(run_folder / "r/insitu.e3d")
    assert (sampled.unit, sampled.width, insitu.unit) == ("eV", 0.002, "kcal/mol")
    assert insitu.width == pytest.approx(0.002 * KCAL_MOL_PER_EV, rel=1e-15)
    one, other = sampled.labels["Ar-Ar"], insitu.labels["Ar-Ar"]
    assert one.count == other.count > 100
    assert other.mean_D == pytest.approx(one.mean_D * KCAL_MOL_PER_EV, rel=1e-12)
