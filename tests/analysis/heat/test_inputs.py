"""The inputs of inputs/heat/, some steps of them, up to the conductivity."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from e3d_lmp import cli
from e3d_lmp.analysis.heat.current import read_current
from e3d_lmp.model.export import write_edge_model
from lammps_runs import ROOT, run_lammps
from tolerances import close

FOLDER = ROOT / "inputs" / "heat"


def argon(path: Path) -> Path:
    """Lennard-Jones argon cut at 8.5 angstrom, as in.green_kubo has it for pair_style lj/cut."""
    from analytic_models import PairPotential

    values = (0.0104, 3.40, 0.0, 8.5)
    write_edge_model(
        *PairPotential("lj", ("Ar", "Kr"), dict.fromkeys([(0, 0), (0, 1), (1, 1)], values), {}).model(), path
    )
    return path


def test_argon(tmp_path: Path) -> None:
    """Edge model and pair style of LAMMPS give the same current; then a conductivity, of whatever value."""
    model = argon(tmp_path / "argon.nequip.pth")
    common = {"equilibrate": 20, "steps": 200}
    for style in ("e3d", "lj"):
        variables = common | {"style": style, "model": model, "current": f"{style}.txt"}
        run_lammps((FOLDER / "in.green_kubo").read_text(), tmp_path, variables=variables)
    ours, theirs = read_current(tmp_path / "e3d.txt"), read_current(tmp_path / "lj.txt")
    assert ours.interval == 4 and len(ours.step) == 51
    close("current", ours.current[:10], theirs.current[:10], 1e-4 * np.abs(theirs.current).max())
    words = ["--timestep", "0.008", "--length", "0.3"]
    assert cli.main(["heat", "green-kubo", str(tmp_path / "e3d.txt"), *words, "--blocks", "2"]) == 0

    script = (FOLDER / "in.hnemd").read_text().replace("run 2000 ", "run 0 ").replace("1 1000 1000", "1 5 5")
    variables = common | {"model": model, "current": "hnemd.txt"}
    run_lammps(script, tmp_path, variables=variables)
    assert cli.main(["heat", "hnemd", f"0.03={tmp_path / 'hnemd.txt'}", "--timestep", "0.008"]) == 0
