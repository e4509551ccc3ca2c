"""Optional terms of a training loss: heat current, its difference to a given one, asymmetry of bonds.

How a model shares its energy over atoms is not fixed by energies and forces, and a partition that jumps
about makes the heat current noisier than the conductivity asks for. In a nequip configuration::

    training_module:
      _target_: e3d_lmp.training.heat_flux.HeatFluxModule
      heat_flux: 1.0e-4          # coefficient of |J|^2 per atom, eV^2 angstrom^2/ps^2; 0 leaves it out
      difference: 0.0            # coefficient of |J - J_given|^2 per atom, of frames that have a current
      asymmetry: 0.0             # coefficient of the mean of A_ij^2, eV^2
      temperature: 300.0         # of the velocities, where the data have none
      ...                        # as nequip.train.EMALightningModule

The current is the part that depends on the model,

J = sum_i U_i v_i - sum_edges r_ij (g_ij . v_j),  g_ij = dU_i/dr_ij

(ARCHITECTURE section 1), per structure. A current that is given is the field ``heat_current`` of the data, eV
angstrom/ps, at their ``velocities``, angstrom/ps (nan where a frame has none). |J|^2 is of these too; where
there are none they are drawn anew at every step from the Maxwell-Boltzmann distribution, at zero total
momentum: a system that moves as a whole carries its energy and pressure along, which is no heat. Models of
Allegro's form, with ``compile_mode: eager``.
"""

from __future__ import annotations

from typing import Any

import torch
from nequip.data import AtomicDataDict
from nequip.train import EMALightningModule

from e3d_lmp.errors import E3DError
from e3d_lmp.units import LAMMPS_BOLTZMANN, LAMMPS_EV_PER_AMU

VELOCITIES = "velocities"
HEAT_CURRENT = "heat_current"


def potential_heat_current(output: AtomicDataDict.Type, velocities: torch.Tensor) -> torch.Tensor:
    """(frames,3) eV angstrom/ps: J without its kinetic part, differentiable in the model's parameters.

    Parameters
    ----------
    output
        What an eager nequip model in training mode returned.
    velocities : (atoms,3) angstrom/ps

    Raises
    ------
    E3DError
        If the output does not hold the graph of its edges.
    """
    vectors = output.get(AtomicDataDict.EDGE_VECTORS_KEY)
    energy = output.get(AtomicDataDict.PER_ATOM_ENERGY_KEY)
    if vectors is None or energy is None or not vectors.requires_grad:
        raise E3DError(
            "the model's output holds no edge vectors to differentiate by: the heat current needs an Allegro "
            "model with forces, compile_mode: eager, in training mode"
        )
    (g,) = torch.autograd.grad(energy.sum(), vectors, create_graph=True)
    index = output[AtomicDataDict.EDGE_INDEX_KEY]
    frame = _frame_of_atom(output)
    power = (g * velocities[index[1]]).sum(1, keepdim=True)
    count = int(frame.max()) + 1
    current = torch.zeros(count, 3, dtype=vectors.dtype, device=vectors.device)
    current = current.index_add(0, frame, energy.reshape(-1, 1).to(vectors.dtype) * velocities)
    return current.index_add(0, frame[index[0]], -vectors * power)


def asymmetries(output: AtomicDataDict.Type, edge_scales: torch.Tensor) -> torch.Tensor:
    """(pairs,) eV: eps_ij - eps_ji of every pair of edges that are each other's reverse.

    Parameters
    ----------
    edge_scales : (ntypes,1)
        Factor from the model's edge energies to eps, by the type of the centre (`decomposition`).
    """
    index = output[AtomicDataDict.EDGE_INDEX_KEY]
    types = output[AtomicDataDict.ATOM_TYPE_KEY].reshape(-1)
    eps = output[AtomicDataDict.EDGE_ENERGY_KEY].reshape(-1) * edge_scales.reshape(-1)[types[index[0]]]
    shift = output.get(AtomicDataDict.EDGE_CELL_SHIFT_KEY)
    image = torch.zeros_like(index.t()[:, :1]) if shift is None else shift.round().long()
    forward = torch.cat([index.t(), image], 1)
    backward = torch.cat([index.flip(0).t(), -image], 1)
    _, number = torch.unique(torch.cat([forward, backward]), dim=0, return_inverse=True)
    own, other = number[: len(eps)], number[len(eps) :]
    place = torch.full((int(number.max()) + 1,), -1, dtype=torch.long, device=eps.device)
    place[own] = torch.arange(len(eps), device=eps.device)
    reverse = place[other]
    first = (reverse >= 0) & (reverse > torch.arange(len(eps), device=eps.device))
    return eps[first] - eps[reverse[first]]


def thermal_velocities(masses: torch.Tensor, temperature: float) -> torch.Tensor:
    """(atoms,3) angstrom/ps, drawn from the Maxwell-Boltzmann distribution of masses (g/mol) and K."""
    spread = (LAMMPS_BOLTZMANN["metal"] * temperature / (LAMMPS_EV_PER_AMU * masses)).sqrt()
    return spread.unsqueeze(1) * torch.randn(len(masses), 3, dtype=masses.dtype, device=masses.device)


def without_momentum(velocities: torch.Tensor, masses: torch.Tensor, frame: torch.Tensor) -> torch.Tensor:
    """(atoms,3): velocities less those of the centres of mass; `frame` (atoms,) says which structure."""
    weighted = torch.cat([masses.unsqueeze(1) * velocities, masses.unsqueeze(1)], 1)
    sums = torch.zeros(int(frame.max()) + 1, 4, dtype=weighted.dtype, device=weighted.device)
    sums = sums.index_add(0, frame, weighted)
    return velocities - (sums[:, :3] / sums[:, 3:])[frame]


def _frame_of_atom(data: AtomicDataDict.Type) -> torch.Tensor:
    batch = data.get(AtomicDataDict.BATCH_KEY)
    if batch is not None:
        return batch.reshape(-1)
    positions = data[AtomicDataDict.POSITIONS_KEY]
    return torch.zeros(len(positions), dtype=torch.long, device=positions.device)


class HeatFluxModule(EMALightningModule):
    """nequip's training module with the terms of this module added to its loss.

    Parameters
    ----------
    heat_flux, difference, asymmetry
        Coefficients; 0 leaves a term out.
    temperature
        K, of velocities that the data do not give.
    """

    def __init__(
        self,
        heat_flux: float = 0.0,
        asymmetry: float = 0.0,
        temperature: float = 300.0,
        difference: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        from ase.data import atomic_masses, atomic_numbers

        from e3d_lmp.model.decomposition import decompose

        if min(heat_flux, difference, asymmetry) < 0.0 or temperature <= 0.0:
            raise E3DError(
                f"heat_flux {heat_flux:g}, difference {difference:g} and asymmetry {asymmetry:g} must not be "
                f"negative, and temperature {temperature:g} must be positive"
            )
        self.heat_flux = heat_flux
        self.difference = difference
        self.asymmetry = asymmetry
        self.temperature = temperature
        facts = decompose(next(iter(self.model.values())))
        self._edge_scales = facts.edge_model.edge_scales.detach()
        unknown = [name for name in facts.type_names if name not in atomic_numbers]
        if heat_flux and unknown:
            raise E3DError(f"model types {', '.join(unknown)} are no elements: their masses are not known")
        masses = [float(atomic_masses[atomic_numbers.get(name, 0)]) for name in facts.type_names]
        self._masses = torch.tensor(masses)
        self._output: AtomicDataDict.Type = {}

    def forward(self, inputs: AtomicDataDict.Type) -> AtomicDataDict.Type:
        """The model's output, kept for the terms of the loss."""
        self._output = super().forward(inputs)
        return self._output

    def training_step(
        self, batch: AtomicDataDict.Type, batch_idx: int, dataloader_idx: int = 0
    ) -> torch.Tensor:
        """nequip's loss, and the terms that are asked for."""
        loss = super().training_step(batch, batch_idx, dataloader_idx)
        for name, coefficient, term in (
            ("heat_flux", self.heat_flux, self.heat_flux_term),
            ("difference", self.difference, self.difference_term),
            ("asymmetry", self.asymmetry, self.asymmetry_term),
        ):
            if coefficient:
                value = term(batch, self._output)
                self.log(f"train_loss_step{self.logging_delimiter}{name}", value.detach())
                loss = loss + coefficient * value
        self._output = {}
        return loss

    def heat_flux_term(self, batch: AtomicDataDict.Type, output: AtomicDataDict.Type) -> torch.Tensor:
        """Mean over the structures of |J|^2 per atom, eV^2 angstrom^2/ps^2."""
        positions = output[AtomicDataDict.POSITIONS_KEY]
        given = batch.get(VELOCITIES)
        if given is None or bool(given.isnan().any()):
            types = output[AtomicDataDict.ATOM_TYPE_KEY].reshape(-1)
            masses = self._masses.to(positions)[types]
            velocities = thermal_velocities(masses, self.temperature)
            drawn = without_momentum(velocities, masses, _frame_of_atom(output))
            given = drawn if given is None else torch.where(given.isnan(), drawn, given)
        velocities = given
        current = potential_heat_current(output, velocities.to(positions))
        atoms = torch.bincount(_frame_of_atom(output), minlength=len(current))
        return (current.square().sum(1) / atoms).mean()

    def difference_term(self, batch: AtomicDataDict.Type, output: AtomicDataDict.Type) -> torch.Tensor:
        """Mean of |J - J_given|^2 per atom over the structures that have a current, eV^2 angstrom^2/ps^2; 0
        where none has.

        Raises
        ------
        E3DError
            If the data have no currents at all.
        """
        if HEAT_CURRENT not in batch or VELOCITIES not in batch:
            raise E3DError(
                "difference asks for frames with a heat current, and the data have none; prepare them from "
                "extended XYZ with heat_current and velocities (docs/data.md), or set difference to 0"
            )
        positions = output[AtomicDataDict.POSITIONS_KEY]
        current = potential_heat_current(output, batch[VELOCITIES].nan_to_num().to(positions))
        wanted = batch[HEAT_CURRENT].reshape(-1, 3).to(current)
        atoms = torch.bincount(_frame_of_atom(output), minlength=len(current))
        known = wanted.isfinite().all(1)
        miss = (current - wanted.nan_to_num()).square().sum(1) / atoms
        return torch.where(known, miss, torch.zeros_like(miss)).sum() / known.sum().clamp(min=1)

    def asymmetry_term(self, batch: AtomicDataDict.Type, output: AtomicDataDict.Type) -> torch.Tensor:
        """Mean of A_ij^2 over all pairs within the cutoff, eV^2."""
        eps = output[AtomicDataDict.EDGE_ENERGY_KEY]
        return asymmetries(output, self._edge_scales.to(eps)).square().mean()
