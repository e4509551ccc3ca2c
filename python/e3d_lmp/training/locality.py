"""An optional term of a training loss: pairs beyond bonding distance are to carry little energy.

Energies and forces fix sums of edge energies, not how a sum is shared: what a model puts on the 1,3 contacts
of a molecule is missing from its bonds. The key ``locality`` of a configuration is the coefficient of

    L = sum_edges s(x_ij) eps_ij^2 / sum_edges s(x_ij),   x_ij = r_ij / (R_i + R_j),   eV^2

over all directed edges of a batch, with covalent radii R (Cordero et al. 2008) and a switch s that rises as
3 t^2 - 2 t^3 from 0 at x = `START`, where the ``covalent`` bond cutoff ends, to 1 at x = `END`.
"""

from __future__ import annotations

from typing import Any

import torch
from nequip.data import AtomicDataDict

from e3d_lmp.edges.cutoffs import COVALENT_FACTOR, covalent_radii, unknown_elements
from e3d_lmp.errors import E3DError
from e3d_lmp.training.heat_flux import HeatFluxModule

START = COVALENT_FACTOR
"""Distance over the sum of covalent radii up to which a pair is left alone."""

END = 1.6
"""From here on a pair counts in full: 1,3 contacts (C...C 1.65, C...H 2.0) do."""


def switch(x: torch.Tensor) -> torch.Tensor:
    """Share with which pairs at x = r/(R_i + R_j) count, 0 to 1, of the same shape."""
    t = ((x - START) / (END - START)).clamp(0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


class LocalityModule(HeatFluxModule):
    """nequip's training module with the term of this module, and those of `heat_flux`, added to its loss.

    Parameters
    ----------
    locality
        Coefficient of the mean of eps_ij^2 over pairs beyond bonding distance, 1/eV^2; 0 leaves it out.
    more
        Of `HeatFluxModule`.

    Raises
    ------
    E3DError
        The coefficient is negative, or a type of the model is no element.
    """

    def __init__(self, locality: float = 0.0, **more: Any) -> None:
        super().__init__(**more)
        if not locality >= 0.0:
            raise E3DError(f"locality {locality:g} must not be negative")
        self.locality = locality
        types = next(iter(self.model.values())).type_names
        unknown = unknown_elements(types)
        if unknown:
            raise E3DError(f"model types {', '.join(unknown)} are no elements: their radii are not known")
        self._radii = torch.tensor([covalent_radii()[name] for name in types])
        self._seen: AtomicDataDict.Type = {}

    def forward(self, inputs: AtomicDataDict.Type) -> AtomicDataDict.Type:
        """The model's output, kept for the term."""
        self._seen = super().forward(inputs)
        return self._seen

    def training_step(
        self, batch: AtomicDataDict.Type, batch_idx: int, dataloader_idx: int = 0
    ) -> torch.Tensor:
        """The loss of `HeatFluxModule`, and the term."""
        loss = super().training_step(batch, batch_idx, dataloader_idx)
        if self.locality:
            value = self.locality_term(self._seen)
            self.log(f"train_loss_step{self.logging_delimiter}locality", value.detach())
            loss = loss + self.locality * value
        self._seen = {}
        return loss

    def locality_term(self, output: AtomicDataDict.Type) -> torch.Tensor:
        """L of the module's formula, eV^2; 0 where no pair is beyond bonding distance."""
        raw = output[AtomicDataDict.EDGE_ENERGY_KEY].reshape(-1)
        types = output[AtomicDataDict.ATOM_TYPE_KEY].reshape(-1)[output[AtomicDataDict.EDGE_INDEX_KEY]]
        eps = raw * self._edge_scales.to(raw).reshape(-1)[types[0]]
        length = output[AtomicDataDict.EDGE_VECTORS_KEY].detach().norm(dim=1)
        weight = switch(length / self._radii.to(length)[types].sum(0)).to(raw)
        total = weight.sum()
        return (weight * eps.square()).sum() / total.clamp(min=1e-12)
