"""The potential of ``inputs/heat/AgI.vashishta`` as an edge model: silver iodide, pairs shared by halves.

V(r) = H/r^eta - P/r^4 - C/r^6 and the Coulomb energy damped by erfc(alpha r), energy and force of each moved
to 0 at the cutoff: as LAMMPS's ``hybrid/overlay`` of ``vashishta``, without its three-body part, and of
``coul/dsf`` has it, but for the constant energy that ``coul/dsf`` adds to each ion (`SELF_ENERGY`).

H, eta, P and C are those of Shimojo and Kobayashi (J. Phys. Soc. Jpn. 60, 3725, 1991), which the rigid ion
model of arXiv 0803.0823 takes; docs/heat_ionic.md says where they were found. P of Ag-I is half of
alpha_I z^2, that of I-I the whole, with the charge z = 0.5815 e and the polarisability alpha_I = 6.12 A^3.
"""

from __future__ import annotations

import math

import torch

from e3d_lmp.model.decomposition import EdgeModel, sum_over_edges

ELEMENTS = ("Ag", "I")
CUTOFF, DAMPING = 6.0, 0.2
"""Angstrom; 1/angstrom."""
CHARGES = (0.5815, -0.5815)
COULOMB = 14.399645
"""eV angstrom/e^2, as LAMMPS has it in units metal."""
SHORT = {(0, 0): (0.16, 11.0, 0.0, 0.0), (0, 1): (1310.0, 9.0, 14.9, 0.0), (1, 1): (5328.0, 7.0, 29.8, 84.5)}
"""H (eV A^eta), eta, P (eV A^4) and C (eV A^6) by pair of types."""
SLOPE = math.erfc(DAMPING * CUTOFF) / CUTOFF**2 + (
    2.0 * DAMPING / math.sqrt(math.pi) * math.exp(-((DAMPING * CUTOFF) ** 2)) / CUTOFF
)
"""Minus the derivative of erfc(alpha r)/r at the cutoff, 1/A^2."""
SELF_ENERGY = (
    -(0.5 * (math.erfc(DAMPING * CUTOFF) / CUTOFF + CUTOFF * SLOPE) + DAMPING / math.sqrt(math.pi))
    * COULOMB
    * CHARGES[0] ** 2
)
"""eV that ``coul/dsf`` counts for each ion, and the edges do not."""


class SilverIodide(EdgeModel):
    """eps_ij = V(r_ij)/2."""

    def __init__(self) -> None:
        super().__init__()
        self.cutoff, self.damping, self.slope = CUTOFF, DAMPING, SLOPE
        self.at_cutoff = math.erfc(DAMPING * CUTOFF) / CUTOFF
        table = torch.zeros(5, 2, 2, dtype=torch.float64)
        for (i, j), values in SHORT.items():
            row = (*values, COULOMB * CHARGES[i] * CHARGES[j])
            table[:, i, j] = table[:, j, i] = torch.tensor(row, dtype=torch.float64)
        self.register_buffer("table", table.reshape(5, 4))
        self.register_buffer("shifts", torch.zeros(2, 1, dtype=torch.float64))

    def short_range(self, r: torch.Tensor, pair: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """H/r^eta - P/r^4 - C/r^6, eV, and its derivative."""
        steric = self.table[0][pair] * r.pow(-self.table[1][pair])
        charge_dipole = self.table[2][pair] / r**4
        dispersion = self.table[3][pair] / r**6
        slope = (-self.table[1][pair] * steric + 4.0 * charge_dipole + 6.0 * dispersion) / r
        return steric - charge_dipole - dispersion, slope

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges (see `EdgeModel`)."""
        r = edge_vectors.square().sum(1).sqrt()
        pair = atom_types[edge_index[0]] * 2 + atom_types[edge_index[1]]
        short, _ = self.short_range(r, pair)
        end, slope = self.short_range(torch.full_like(r, self.cutoff), pair)
        beyond = r - self.cutoff
        coulomb = torch.erfc(self.damping * r) / r - self.at_cutoff + beyond * self.slope
        energy = short - end - beyond * slope + self.table[4][pair] * coulomb
        edge_energy = torch.where(beyond < 0.0, 0.5 * energy, torch.zeros_like(r)).unsqueeze(1)
        return sum_over_edges(edge_energy, edge_index, atom_types, self.shifts), edge_energy
