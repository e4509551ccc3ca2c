"""Thermal conductivity of silicon by HNEMD: the Tersoff potential as an edge model (a long run).

    python scripts/heat/silicon.py run out/silicon --parts 40    # hours; goes on where it stopped
    python scripts/heat/silicon.py result out/silicon -o silicon.json

The parameters are those of Phys. Rev. B 39, 5566 (1989), for which 230 to 250 W/m/K at 300 K are known.
The error of 512 atoms and |F| = 5e-5 1/angstrom after t ns is about 51/sqrt(t) W/m/K. This force is still too
large for them: steady, but 432 W/m/K; and with 2e-4 the current grows without end (docs/heat.md). Take more
cells and a smaller force.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from runs import print_result, run_lammps, write_vectorised  # first: finds analytic_models
from torch.nn.functional import pad

from analytic_models import TERSOFF_SIC, TYPE_ROW, Tersoff, metadata_of  # isort: skip
from e3d_lmp.decomposition import sum_over_edges

BAND = 4
"""Edges of one centre are at most this far apart in the list: five neighbours."""


class BandedTersoff(Tersoff):
    """The same energies for at most ``BAND + 1`` neighbours of an atom, in time and memory linear in the
    number of edges: edges are sorted by centre, so those of one atom are next to each other. Shifted slices
    instead of an index per triplet compile to loops over vectors.
    """

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges (see `EdgeModel`); one element, lambda3 = 0."""
        x, y, z = edge_vectors[:, 0], edge_vectors[:, 1], edge_vectors[:, 2]
        r = (x * x + y * y + z * z).sqrt()
        units = [x / r, y / r, z / r]
        cut = self.cut(r, self.R[0], self.D[0])
        c2, d2 = self.c[0].square(), self.d[0].square()
        zeta = torch.zeros_like(r)
        centre = edge_index[0]
        centres = pad(centre, (BAND, BAND), value=-1.0)
        cuts = pad(cut, (BAND, BAND))
        others = [pad(component, (BAND, BAND)) for component in units]
        for shift in range(-BAND, BAND + 1):
            if shift == 0:
                continue
            start = BAND + shift
            products = [a * b.narrow(0, start, r.size(0)) for a, b in zip(units, others, strict=True)]
            cosine = products[0] + products[1] + products[2]
            angle = self.gamma[0] * (1.0 + c2 / d2 - c2 / (d2 + (cosine - self.costheta0[0]).square()))
            same = centre == centres.narrow(0, start, r.size(0))
            zeta = zeta + torch.where(same, cuts.narrow(0, start, r.size(0)) * angle, 0.0)
        alone = zeta <= 0.0
        power = (self.beta[0] * torch.where(alone, torch.ones_like(zeta), zeta)).pow(self.n[0])
        order = torch.where(alone, torch.ones_like(zeta), (1.0 + power).pow(-0.5 / self.n[0]))
        repulsive = self.A[0] * torch.exp(-self.lambda1[0] * r)
        attractive = -self.B[0] * torch.exp(-self.lambda2[0] * r)
        edge_energy = (0.5 * cut * (repulsive + order * attractive)).unsqueeze(1)
        return sum_over_edges(edge_energy, edge_index, atom_types, self.shifts), edge_energy


def write_model(path: Path) -> None:
    """Silicon of the SiC parameters as an edge model, unless it is there."""
    row = TERSOFF_SIC.rows["Si", "Si", "Si"]
    table = {name: torch.tensor([row[name]], dtype=torch.float64) for name in TYPE_ROW}
    write_vectorised(BandedTersoff(1, table), metadata_of(("Si",), (row["R"] + row["D"],)), path)


def run(folder: Path, parts: int, force: float) -> None:
    """Every part that has no restart file yet, one after the other on one core."""
    folder.mkdir(parents=True, exist_ok=True)
    write_model(folder / "silicon.nequip.pt2")
    (folder / "force.txt").write_text(f"{force}\n")
    for part in range(1, parts + 1):
        if not (folder / f"silicon.{part}.restart").exists():
            run_lammps(folder, "in.silicon", f"{part}", {"part": part, "force": force})


def result(folder: Path) -> dict[str, Any]:
    """Conductivity of the parts that have ended, and of the integral of the spectrum, W/m/K."""
    from e3d_lmp.heat.conversion import METAL
    from e3d_lmp.heat.current import read_current
    from e3d_lmp.heat.hnemd import group_by_force, hnemd
    from e3d_lmp.heat.spectrum import read_correlations, spectrum

    force = float((folder / "force.txt").read_text())
    ended = sorted(int(path.name.split(".")[1]) for path in folder.glob("silicon.*.restart"))
    if not ended:
        raise SystemExit(f"{folder}: no part has ended; start with: silicon.py run {folder}")
    runs = [read_current(folder / f"silicon.{part}.txt") for part in ended]
    one = hnemd(group_by_force({f"{force}": runs}, METAL, 0.001)).groups[0]
    whole = spectrum([read_correlations(folder / "silicon.shc.txt")], force).conductivity
    return {
        "format": "e3d-silicon/1",
        "atoms": 512,
        "force_per_angstrom": force,
        "nanoseconds": round(1e-6 * sum(len(run.step) * run.interval for run in runs), 3),
        "temperature": round(one.temperature, 2),
        "W_per_m_K": round(one.conductivity, 2),
        "error": round(one.error, 2),
        "drift": round(one.drift, 2),
        "steady": bool(one.steady),
        "spectrum_W_per_m_K": round(whole[0], 2),
        "spectrum_error": round(whole[1], 2),
        "literature_W_per_m_K": [230, 250],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=["run", "result"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parts", type=int, default=40, help="run: of 50 ps each")
    parser.add_argument("--force", type=float, default=5e-5, help="run: 1/angstrom, along x")
    parser.add_argument("-o", "--output", type=Path, help="result: write it here as JSON")
    args = parser.parse_args()
    if args.task == "run":
        run(args.folder, args.parts, args.force)
        return
    print_result(result(args.folder), args.output)


if __name__ == "__main__":
    main()
