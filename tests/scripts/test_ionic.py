"""The study of silver iodide: its potential against LAMMPS's own styles, its input, some frames to learn."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from e3d_lmp.analysis.heat.current import read_runs
from e3d_lmp.analysis.heat.power import read_parts
from e3d_lmp.files import open_lock
from e3d_lmp.model.export import write_edge_model
from e3d_lmp.training.data.database import iter_frames
from heat_files import damped_noise
from lammps_runs import ROOT, run_lammps
from tolerances import close

sys.path.insert(0, str(ROOT / "scripts" / "heat"))

import ionic
import ionic_data
import ionic_page
import ionic_report
import silver_iodide
from analytic_models import metadata_of

OWN = "compute k all ke/atom\ncompute p all pe/atom\ncompute s all stress/atom NULL virial\n"
OWN += "compute j all heat/flux k p s\n"
NUMBERS = [
    "v_e",
    *(f"c_{name}[{k}]" for name, n in (("j", 3), ("virial", 6), ("rest", 3)) for k in range(1, n + 1)),
]
ENDS = "run 0\nprint '" + " ".join(f"$({name})" for name in NUMBERS) + "' file NAME.txt\n"
ENDS += "write_dump all custom NAME.dump fx fy fz modify sort id format float %.15g\n"
INPUT = (ROOT / "inputs" / "heat" / "in.ionic").read_text()
WORDS = {"parameters": ionic_data.PARAMETERS, "equilibrate": 40, "temperature": 400.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The potential as a model file."""
    path = tmp_path_factory.mktemp("model") / "exact.nequip.pth"
    metadata = metadata_of(silver_iodide.ELEMENTS, (silver_iodide.CUTOFF,) * 4)
    write_edge_model(silver_iodide.SilverIodide(), metadata, path)
    return path


@pytest.mark.parametrize("phase", ["ordered", "superionic"])
def test_potential_equals_styles_of_lammps(phase: str, model: Path, tmp_path: Path) -> None:
    """Energy, forces, virial and heat current of a hot crystal: the edge model on two ranks against vashishta
    without its three-body part and coul/dsf, whose energies of the ions alone are taken off.
    """
    head = INPUT.split("velocity all create")[0]
    tail = """
displace_atoms all random 0.3 0.3 0.3 5
velocity all create 600.0 9 mom yes rot no dist gaussian
compute virial all pressure NULL virial
compute rest all reduce sum vx vy vz
variable e equal pe
"""
    both = []
    for name, task, compute in (("own", "frames", OWN), ("ours", "equilibrium", "compute j all e3d/heat\n")):
        show = "thermo_style custom step pe c_j[1] c_virial[1] c_rest[1]\n"
        variables = WORDS | {"task": task, "phase": phase, "cells": 2, "model": model}
        script = head + tail + compute + show + ENDS.replace("NAME", name)
        run_lammps(script, tmp_path, 2 if name == "ours" else 1, variables=variables)
        numbers = np.loadtxt(tmp_path / f"{name}.txt")
        both.append((numbers, np.loadtxt(tmp_path / f"{name}.dump", skiprows=9)))
    (theirs, wanted), (ours, forces) = both
    count = len(forces)
    assert count == (64 if phase == "ordered" else 32) and np.abs(wanted).max() > 0.5
    # LAMMPS's erfc is a polynomial, good to 1e-7
    close("energy", ours[0], theirs[0] - count * silver_iodide.SELF_ENERGY, 1e-6 * abs(ours[0]))
    close("forces", forces, wanted, 2e-6 * np.abs(wanted).max())
    current = theirs[1:4] - silver_iodide.SELF_ENERGY * ours[10:13]
    close("current", ours[1:4], current, 2e-6 * np.abs(current).max())
    close("virial", ours[4:10], theirs[4:10], 2e-6 * np.abs(theirs[4:10]).max())


def test_elements_and_labels_sum_to_the_current(model: Path, tmp_path: Path) -> None:
    """At every sample of a run: the currents of silver and iodine, and the rows of the pair labels with what
    belongs to no edge, are the whole.
    """
    words = WORDS | {"task": "equilibrium", "cells": 2, "steps": 60, "model": model}
    run_lammps(INPUT, tmp_path, variables=words)
    parts = {part.name: part for part in read_parts(tmp_path / "current.txt")}
    columns = sorted({name for part in parts.values() for name in part.plus})
    (run,) = read_runs([tmp_path / "current.txt"], columns=columns)
    assert len(run.step) == 13
    values = {name: part.of(columns, run.current) for name, part in parts.items() if "potential" not in name}
    for names in (("Ag", "I"), ("Ag_Ag", "Ag_I", "I_I", "kinetic")):
        total = sum(values[name] for name in names)
        close(" ".join(names), total, values["heat"], 1e-6 * np.abs(values["heat"]).max())
        assert min(np.abs(values[name]).max() for name in names) > 1e-3
    both = values["Ag convective"] + values["I convective"]
    close("convective", both, values["heat convective"], 1e-6 * np.abs(both).max())


def test_frames_have_exact_labels(tmp_path: Path) -> None:
    """Energies, forces and stresses that LAMMPS counted are those of the edge model, and the currents of the
    second set go with its velocities; both sets have the same frames in the same order.
    """
    sizes = {"frames": 10, "apart": 5, "equilibrate": 20}
    ionic_data.label_frames(tmp_path, sizes)
    ionic_data.label_currents(tmp_path, sizes)
    manifests = [
        json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("data", "data_currents")
    ]
    assert manifests[0]["sets"]["train"]["entries"] != [] and manifests[0]["sets"]["train"][
        "subsets"
    ].keys() == {"ordered", "superionic"}
    frames = [list(iter_frames(tmp_path / name / "test.lmdb")) for name in ("data", "data_currents")]
    assert len(frames[0]) == len(frames[1]) > 0
    for plain, full in zip(*frames, strict=True):
        assert "velocities" not in plain and bool((plain["pos"] == full["pos"]).all())
        i, j = full["edge_index"]
        vectors = full["pos"][j] - full["pos"][i] + full["edge_cell_shift"] @ full["cell"].reshape(3, 3)
        vectors.requires_grad_()
        energy, _ = silver_iodide.SilverIodide()(vectors, full["edge_index"], full["atom_types"].reshape(-1))
        (g,) = torch.autograd.grad(energy.sum(), vectors)
        forces = torch.zeros_like(full["pos"]).index_add(0, i, g).index_add(0, j, -g)
        close("energy", energy.sum().item(), full["total_energy"].item(), 3e-6 * abs(energy.sum().item()))
        close("forces", forces.numpy(), full["forces"].numpy(), 2e-6)
        stress = (vectors.T @ g / full["cell"].reshape(3, 3).det()).detach().numpy()
        close("stress", stress, full["stress"][0].numpy(), 1e-7)
        v = full["velocities"]
        current = energy[:, 0] @ v - (g * v[j]).sum(1) @ vectors
        close("current", full["heat_current"][0].numpy(), current.detach().numpy(), 1e-5)
        assert full["heat_current"].abs().max() > 0.1


def write_run(path: Path, heat: np.ndarray, flow: np.ndarray) -> Path:
    """A file with the columns that the report reads."""
    names = [f"c_heat[{k}]" for k in range(1, 7)] + list(ionic_report.FLOW) + ["c_thermo_temp", "v_volume"]
    rest = np.tile([300.0, 1000.0], (len(heat), 1))
    table = np.concatenate([5.0 * np.arange(len(heat))[:, None], heat, 0.1 * heat, flow, rest], axis=1)
    lines = ["# of fix current", f"# TimeStep {' '.join(names)}"]
    path.write_text("\n".join(lines + [" ".join(f"{x:.17g}" for x in row) for row in table]) + "\n")
    return path


def test_without_flow_is_the_same_for_any_energy_of_an_ion(tmp_path: Path) -> None:
    """A multiple of the flow of silver in J changes nothing; and where J is that alone, nothing is left."""
    heat, flow = damped_noise(1, 8000, 0.8), damped_noise(2, 8000, 0.8)
    values = []
    for number, factor in enumerate((0.0, 3.0, -7.0)):
        path = write_run(tmp_path / f"{number}.txt", heat + factor * flow, flow)
        values.append(ionic_report.without_flow([path]))
    close("3 v", values[1], values[0], 1e-9 * values[0][0])
    close("-7 v", values[2], values[0], 1e-9 * values[0][0])
    value, error = ionic_report.jackknife(values[0])
    low = ionic_report.below(ionic_report.spectra([tmp_path / "0.txt"]), "heat")
    assert 0.8 * low.mean() < value <= low.mean() and 0.0 < error < 0.3 * value
    alone = ionic_report.without_flow([write_run(tmp_path / "alone.txt", 2.0 * flow, flow)])
    close("alone", alone, np.zeros(9), 1e-9 * value)


def test_report(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Of a folder where little is done yet: the exact current along a trajectory, and its runs; the tables go
    between the marks of the page.
    """
    heat, flow = damped_noise(1, 4800, 0.8), damped_noise(2, 4800, 0.8)
    write_run(tmp_path / "exact.superionic.rerun.txt", heat, flow)
    for seed in (1, 2):
        file = tmp_path / f"exact.superionic.equilibrium.{seed}.txt"
        write_run(file, damped_noise(seed, 10000, 0.8), damped_noise(9 + seed, 10000, 0.8))
    page = tmp_path / "page.md"
    page.write_text(f"before\n{ionic.MARKS[0]}\nold\n{ionic.MARKS[1]}\nafter\n")
    ionic.write_report(tmp_path, tmp_path / "numbers.json", page, tmp_path)
    numbers = json.loads((tmp_path / "numbers.json").read_text())["models"]["exact"]["superionic"]
    close("square", numbers["trajectory"]["mean_square"][0], (heat**2).mean(), 0.02)
    assert numbers["trajectory"]["low_minus_exact"][0] == 0.0 and numbers["green_kubo"][0] > 0.0
    text = page.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "old" not in text
    assert "| exact |" in text and (tmp_path / "heat_ionic_spectra.png").stat().st_size > 10000
    # the numbers that were kept give the same page and pictures, without the runs
    picture = (tmp_path / "heat_ionic_spectra.png").read_bytes()
    page.write_text(f"before\n{ionic.MARKS[0]}\nold\n{ionic.MARKS[1]}\nafter\n")
    ionic.write_report(tmp_path / "numbers.json", None, page, tmp_path)
    assert page.read_text() == text and (tmp_path / "heat_ionic_spectra.png").read_bytes() == picture
    # seeds: their scatter, at least what each does not know of itself
    assert ionic_page.over_seeds([(1.0, 0.1), (1.0, 0.1)]) == (1.0, pytest.approx(0.1 / 2**0.5))
    assert ionic_page.over_seeds([(1.0, 0.1), (3.0, 0.1)])[1] == pytest.approx(1.0)
    assert ionic_page.over_seeds([(1.0, 0.1), (1.0, 0.1)], shared=True) == (1.0, pytest.approx(0.1))
    assert ionic_page.beside([(1.0, 0.3)], [(2.0, 0.4)]) == "1.00 ± 0.30 (-2.0)"
    assert ionic_page.range_of([(-0.0002, 0.0), (0.0003, 0.0)], 1) == "0.0"
    assert ionic_page.range_of([(3.0, 0.0), (1.24, 0.0)], 1) == "1.2–3.0"


def test_models_that_melt_or_run_away_count_apart() -> None:
    """Their conductivities are not those of the crystal; what becomes of them is in the table."""
    models = {
        name: {"ordered": {"runs": 1, "hnemd": [value, 0.1], "iodine_displacement": [moved, 0.0]}}
        for name, value, moved in (
            ("exact", 1.0, 0.3),
            ("plain.1", 1.2, 0.4),
            ("plain.2", 9.0, 50.0),
            ("plain.3", 7.0, 0.5),
        )
    }
    models["plain.3"]["ordered"]["heating"] = [1.3, None]
    result = {"models": models, "material": {"diffusion": {}}}
    text = ionic_page.tables(result, ["plain"], ["ordered"])
    assert "| plain | 3 | 2 |  |  | 1.20 ± 0.10 (+1.4) |  | 0.40–50.00 |  |" in text, text
    assert "| exact | 1 | 0 |  |  | 1.00 ± 0.10 |" in text


def test_hnemd_without_flow_is_the_same_for_any_energy_of_an_ion(tmp_path: Path) -> None:
    """With J + a v instead of J the responses are K + 2 a K_v + a^2 L and K_v + a L."""
    force, temperature, volume = 0.02, 573.0, 3540.0
    kappa, with_flow, flow = 0.6, -0.22, 0.13
    noise = damped_noise(1, 100, 0.0)
    for shift in (0.0, 0.5, -4.0):
        responses = (kappa + 2.0 * shift * with_flow + shift**2 * flow, with_flow + shift * flow)
        columns = [response * (1.0 + 1e-3 * noise) for response in responses]
        rows = np.concatenate(columns, axis=1) * force * temperature * volume / ionic_report.METAL.watt
        names = [*ionic_report.DRIVEN, *ionic_report.FLOW, "c_thermo_temp", "v_volume"]
        file = tmp_path / f"{shift}.txt"
        with file.open("w") as text:
            text.write(f"# of fix current\n# TimeStep {' '.join(names)}\n")
            for step, row in enumerate(rows):
                text.write(f"{500 * step} {' '.join(map(str, [*row, temperature, volume]))}\n")
        value, error = ionic_report.driven_without_flow(file, force, [flow, 0.0])
        want = kappa - with_flow**2 / flow
        assert value == pytest.approx(want, abs=5.0 * error) and 0.0 < error < 0.02 * want
        unsure = ionic_report.driven_without_flow(file, force, [flow, 0.1 * flow])[1]
        assert unsure == pytest.approx(0.1 * responses[1] ** 2 / flow, rel=0.05)


def test_what_became_of_a_crystal(tmp_path: Path) -> None:
    """D of silver from the slope of its displacement, iodine that stays in place, and the mean pressure."""
    steps = np.arange(1, 76) * 1000.0
    time = steps * ionic_report.TIMESTEP
    table = np.stack(
        [steps, 3.0 + 1.2 * time, 0.5 + 0.0 * time, 573.0 * np.where(time > 200.0, 1.5, 1.0), 24000.0 + time],
        axis=1,
    )
    np.savetxt(tmp_path / "plain.1.superionic.held.1.txt", table, header="of fix held")
    assert ionic_report.held(tmp_path, "plain.1", "superionic") == {}  # the run is not done
    (tmp_path / "plain.1.superionic.equilibrium.1.txt").touch()
    row = ionic_report.held(tmp_path, "plain.1", "superionic")
    assert row["silver_diffusion"] == [pytest.approx(2.0), pytest.approx(0.0, abs=1e-9)]
    assert row["iodine_displacement"] == [pytest.approx(0.5), pytest.approx(0.0, abs=1e-9)]
    assert row["pressure"][0] == pytest.approx(24.152, abs=0.01)
    assert row["heating"][0] == pytest.approx(1.5, abs=0.01)
    assert ionic_report.held(tmp_path, "plain.2", "superionic") == {}


def test_steps_make_every_model_and_its_runs() -> None:
    """All terms and seeds, trained before they are run; what tells most comes first."""
    steps = list(ionic.steps_of())
    for term in ionic.TERMS:
        for seed in ionic.SEEDS:
            trained = steps.index(f"{term}.{seed}/test.json")
            own = [file for file in steps if file.startswith(f"{term}.{seed}.")]
            kinds = sorted(".".join(file.removeprefix(f"{term}.{seed}.").split(".")[:2]) for file in own)
            want = [
                f"{phase}.{kind}"
                for phase in ionic.TEMPERATURES
                for kind in ("driven", "equilibrium", "rerun")
            ]
            assert kinds == sorted(want) and min(map(steps.index, own)) > trained
    assert steps.index("plain.3/test.json") < steps.index("flux-3e-8.2/test.json")


def test_steps_that_another_process_is_at_are_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And made by the next call, once the other one is gone; what is there is not made again."""
    made = []
    steps = {name: (lambda folder, sizes, name=name: made.append(name)) for name in ("a/test.json", "b.txt")}
    monkeypatch.setattr(ionic, "steps_of", lambda: steps)
    lock = open_lock(tmp_path / "a.test.json.lock")
    assert lock is not None
    ionic.run(tmp_path)
    os.close(lock)
    (tmp_path / "b.txt").touch()
    ionic.run(tmp_path)
    assert made == ["b.txt", "a/test.json"]
    with pytest.raises(SystemExit, match="take another folder"):
        ionic.run(tmp_path, sizes={"frames": 1})
