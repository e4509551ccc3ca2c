"""Thermal conductivity of silicon by HNEMD: the Tersoff potential as an edge model (a long run).

    python scripts/heat/silicon.py run out/silicon --blocks 20      # goes on where it was stopped
    python scripts/heat/silicon.py result out/silicon -o scripts/heat/silicon.json

The parameters are those of Phys. Rev. B 39, 5566 (1989), for which about 230 to 250 W/m/K at 300 K are known.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from analytic_models import Tersoff  # noqa: E402
from e3d_lmp.decomposition import sum_over_edges  # noqa: E402

MOST_NEIGHBOURS = 5


class BandedTersoff(Tersoff):
    """The same energies for at most `MOST_NEIGHBOURS` neighbours of an atom, in time and memory linear in the
    number of edges: edges are sorted by centre, so those of one atom are next to each other.
    """

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges (see `EdgeModel`); one element, lambda3 = 0."""
        r = edge_vectors.square().sum(1).sqrt()
        unit = edge_vectors / r.unsqueeze(1)
        centre = edge_index[0]
        cut = self.cut(r, self.R[0], self.D[0])
        c2, d2 = self.c[0].square(), self.d[0].square()
        zeta = torch.zeros_like(r)
        own = torch.arange(r.size(0), device=r.device)
        for shift in range(1, MOST_NEIGHBOURS):
            for k in (shift, -shift):
                inside = (own + k >= 0) & (own + k < r.size(0))
                other = torch.where(inside, own + k, own)
                cosine = (unit * unit[other]).sum(1)
                angle = self.gamma[0] * (1.0 + c2 / d2 - c2 / (d2 + (cosine - self.costheta0[0]).square()))
                zeta = zeta + torch.where(inside & (centre == centre[other]), cut[other] * angle, 0.0)
        alone = zeta <= 0.0
        power = (self.beta[0] * torch.where(alone, torch.ones_like(zeta), zeta)).pow(self.n[0])
        order = torch.where(alone, torch.ones_like(zeta), (1.0 + power).pow(-0.5 / self.n[0]))
        repulsive = self.A[0] * torch.exp(-self.lambda1[0] * r)
        attractive = -self.B[0] * torch.exp(-self.lambda2[0] * r)
        edge_energy = (0.5 * cut * (repulsive + order * attractive)).unsqueeze(1)
        return sum_over_edges(edge_energy, edge_index, atom_types, self.shifts), edge_energy
