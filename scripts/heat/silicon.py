"""Thermal conductivity of silicon by HNEMD: the Tersoff potential as an edge model (a long run).

    python scripts/heat/silicon.py run out/silicon               # hours; goes on where it stopped
    python scripts/heat/silicon.py run out/silicon --seed 2      # another core, at the same time
    python scripts/heat/silicon.py result out/silicon -o silicon.json

The parameters are those of Phys. Rev. B 39, 5566 (1989), for which 230 to 250 W/m/K at 300 K are known.
The error of N atoms after t ns is about 90 W/m/K (2e-5 1/angstrom / |F|) / sqrt(N/1000 t). The components of
the current across the force fluctuate as in equilibrium: Green-Kubo of them is a second result of the same
runs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import pad

from runs import keep_settings, print_result, run_lammps, write_vectorised  # first: finds analytic_models

from analytic_models import TERSOFF_SIC, TYPE_ROW, Tersoff, metadata_of  # isort: skip
from e3d_lmp.model.decomposition import sum_over_edges

CORRELATION = 0.5
"""Longest correlation time, ns, if a block has four times as much."""
BLOCK = 2.0
"""Length of a block of Green-Kubo, ns."""
BAND = 4
"""Edges of one centre are at most this far apart in the list: five neighbours."""


class BandedTersoff(Tersoff):
    """The same energies for at most ``BAND + 1`` neighbours of an atom, in time and memory linear in the
    number of edges: edges are sorted by centre, so those of one atom are next to each other. Shifted slices
    instead of an index per triplet compile to loops over vectors; the angle of two edges is used for both.
    """

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges (see `EdgeModel`); one element, lambda3 = 0."""
        n_edges = edge_vectors.size(0)
        r = edge_vectors.square().sum(1).sqrt()
        units = [edge_vectors[:, axis] / r for axis in range(3)]
        cut = self.cut(r, self.R[0], self.D[0])
        c2, d2 = self.c[0].square(), self.d[0].square()
        zeta = torch.zeros_like(r)
        centres = pad(edge_index[0], (0, BAND), value=-1.0)
        cuts = pad(cut, (0, BAND))
        others = [pad(component, (0, BAND)) for component in units]
        for shift in range(1, BAND + 1):
            products = [a * b.narrow(0, shift, n_edges) for a, b in zip(units, others, strict=True)]
            cosine = products[0] + products[1] + products[2]
            angle = self.gamma[0] * (1.0 + c2 / d2 - c2 / (d2 + (cosine - self.costheta0[0]).square()))
            angle = torch.where(edge_index[0] == centres.narrow(0, shift, n_edges), angle, 0.0)
            zeta = zeta + cuts.narrow(0, shift, n_edges) * angle
            zeta = zeta + pad(cut * angle, (shift, 0)).narrow(0, 0, n_edges)
        is_free = zeta <= 0.0
        power = (self.beta[0] * torch.where(is_free, torch.ones_like(zeta), zeta)).pow(self.n[0])
        order = torch.where(is_free, torch.ones_like(zeta), (1.0 + power).pow(-0.5 / self.n[0]))
        repulsive = self.A[0] * torch.exp(-self.lambda1[0] * r)
        attractive = -self.B[0] * torch.exp(-self.lambda2[0] * r)
        edge_energy = (0.5 * cut * (repulsive + order * attractive)).unsqueeze(1)
        return sum_over_edges(edge_energy, edge_index, atom_types, self.shifts), edge_energy


def write_model(path: Path) -> None:
    """Silicon of the SiC parameters as an edge model, unless it is there."""
    row = TERSOFF_SIC.rows["Si", "Si", "Si"]
    table = {name: torch.tensor([row[name]], dtype=torch.float64) for name in TYPE_ROW}
    write_vectorised(BandedTersoff(1, table), metadata_of(("Si",), (row["R"] + row["D"],)), path)


def run(folder: Path, seed: int, parts: int, settings: dict[str, Any]) -> None:
    """Every part of this seed that has no restart file yet, one after the other on one core."""
    here = folder / f"seed.{seed}"
    here.mkdir(parents=True, exist_ok=True)
    keep_settings(folder / "settings.json", settings)
    write_model(here / "silicon.nequip.pt2")
    for part in range(1, parts + 1):
        if not (here / f"silicon.{part}.restart").exists():
            run_lammps(here, "in.silicon", f"{part}", {"part": part, "seed": seed, **settings})


def result(folder: Path) -> dict[str, Any]:
    """Conductivity of the parts that have ended, of the integral of the spectrum, and across the force."""
    from e3d_lmp.analysis.heat.conversion import METAL
    from e3d_lmp.analysis.heat.current import join_parts, read_current
    from e3d_lmp.analysis.heat.green_kubo import green_kubo
    from e3d_lmp.analysis.heat.hnemd import group_by_force, hnemd
    from e3d_lmp.analysis.heat.spectrum import read_correlations, spectrum

    runs, correlations = [], []
    for seed in sorted(folder.glob("seed.*")):
        ended = sorted(int(path.name.split(".")[1]) for path in seed.glob("silicon.*.restart"))
        runs += [read_current(seed / f"silicon.{part}.txt") for part in ended]
        correlations += [read_correlations(seed / "silicon.shc.txt")] if ended else []
    if not runs:
        raise SystemExit(f"{folder}: no part has ended; start with: silicon.py run {folder}")
    settings = json.loads((folder / "settings.json").read_text())
    one = hnemd(group_by_force({f"{settings['force']}": runs}, METAL, settings["timestep"])).groups[0]
    spectral = spectrum(correlations, settings["force"]).conductivity
    length = sum(len(run.step) * run.interval for run in runs) * 1e-3 * settings["timestep"]
    whole = join_parts(runs)
    blocks = max(2, round(length / len(whole) / BLOCK))
    longest = 1e3 * min(CORRELATION, length / len(whole) / blocks / 4.0)
    across = green_kubo(whole, METAL, settings["timestep"], longest, (1, 2), blocks)
    watt = METAL.watt / settings["force"]
    by_part = [watt * run.current[:, 0].mean() / (run.volume * run.temperature) for run in runs]
    return {
        "format": "e3d-silicon/2",
        "atoms": 8 * settings["cells"] ** 3,
        "force_per_angstrom": settings["force"],
        "nanoseconds": round(length, 3),
        "runs": len(whole),
        "temperature": round(one.temperature, 2),
        "W_per_m_K": round(one.conductivity, 2),
        "error": round(one.error, 2),
        "drift": round(one.drift, 2),
        "steady": bool(one.steady),
        "W_per_m_K_of_each_part": [round(value, 1) for value in by_part],
        "spectrum_W_per_m_K": round(spectral[0], 2),
        "spectrum_error": round(spectral[1], 2),
        "green_kubo_across_W_per_m_K": round(across.conductivity, 2),
        "green_kubo_across_error": round(across.error, 2),
        "green_kubo_plateau_ps": [round(x, 1) for x in across.plateau],
        "green_kubo_settled": across.settled,
        "literature_W_per_m_K": [230, 250],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["run", "result"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1, help="run: of the first velocities")
    parser.add_argument("--parts", type=int, default=20, help="run: of half a nanosecond each")
    parser.add_argument("--cells", type=int, default=5, help="run: cubes of 8 atoms along each axis")
    parser.add_argument("--force", type=float, default=2e-5, help="run: 1/angstrom, along x")
    parser.add_argument("-o", "--output", type=Path, help="result: write it here as JSON")
    args = parser.parse_args()
    if args.task == "run":
        settings = {"cells": args.cells, "force": args.force, "timestep": 0.002}
        run(args.folder, args.seed, args.parts, settings)
        return
    print_result(result(args.folder), args.output)


if __name__ == "__main__":
    main()
