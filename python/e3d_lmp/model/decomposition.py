"""From a nequip model to an edge model: the physical energy of every directed edge.

Allegro sums raw edge energies e_ij over the neighbours j of a centre i and then normalises:

    U_i = sigma(t_i) * n(t_i) / sqrt(2) * sum_j e_ij + mu(t_i) + sum_j v_ij

with n = 1/sqrt(avg_num_neighbors), one number or one per type (``allegro.nn.EdgewiseReduce``,
``nequip.nn.AvgNumNeighborsNorm``), sigma and mu of ``nequip.nn.PerTypeScaleShift``, and an optional pair
potential whose halves v_ij sit on the two directed edges of a pair (``nequip.nn.pair_potential``). So

    eps_ij = sigma(t_i) n(t_i) / sqrt(2) e_ij + v_ij        and        U_i = sum_j eps_ij + mu(t_i)

hold exactly, up to rounding. Message-passing models have no such form: there, an edge's number depends on
atoms beyond the centre's neighbours.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import sqrt

import torch

from e3d_lmp.errors import E3DError

_GEOMETRY_STEPS = {"EdgeLengthNormalizer", "AddRadialCutoffToData"}
_EMBEDDING_STEPS = {
    "SequentialGraphNetwork",  # TwoBodyBesselScalarEmbed
    "TwoBodySplineScalarEmbed",
    "BesselEdgeLengthEncoding",
    "ProductTypeEmbedding",
    "ScalarMLP",
    "TwoBodySphericalHarmonicTensorEmbed",
    "Held",  # of `e3d_lmp.training.layers`: what its layers have taken over
}
_LAYER_STEPS = {"Allegro_Module", "EdgeLayers", "CentreLayers"}
"""Of nequip-allegro, `e3d_lmp.model.layers` and `e3d_lmp.training.layers`."""
_PAIR_STEPS = {"ZBL", "LennardJones", "SimpleLennardJones"}
_MESSAGE_PASSING_WORDS = (
    "ConvNetLayer",
    "InteractionBlock",
    "Interaction",
    "MessagePassing",
    "GhostExchange",
    "MACE",
)


class EdgeModel(torch.nn.Module):
    """Interface of everything that can be exported: energies of directed edges, without derivatives.

    ``forward(edge_vectors (E,3) f64, edge_index (2,E) i64, atom_types (N,) i64)`` returns
    ``(atomic_energy (N,1) f64, edge_energy (E,1) f64)`` in eV, with atomic_energy_i = sum_j edge_energy_ij +
    mu_i. It must be scriptable, traceable with any E, N >= 2, differentiable in `edge_vectors`, and give
    exactly nothing for edges beyond their cutoff. Edges come sorted by centre.
    """

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges."""
        raise NotImplementedError


def sum_over_edges(
    edge_energy: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor, shifts: torch.Tensor
) -> torch.Tensor:
    """Return U_i = sum_j eps_ij + mu(t_i), (N,1) float64, from eps (E,1) and mu (ntypes,1)."""
    sums = torch.zeros([atom_types.size(0), 1], dtype=edge_energy.dtype, device=edge_energy.device)
    sums = sums.index_add(0, edge_index[0], edge_energy)
    return sums + torch.index_select(shifts, 0, atom_types)


class AllegroEdgeModel(EdgeModel):
    """The edge-local part of an Allegro model, with all its normalisations folded into the edge energies.

    Parameters
    ----------
    steps
        nequip modules from the edge lengths to the raw edge energies, in order.
    pair_terms
        Zero or one pair potential of nequip.
    edge_scales : (ntypes,1) float64
        sigma * n / sqrt(2) of each centre type.
    shifts : (ntypes,1) float64, eV
        mu of each type.
    """

    def __init__(
        self,
        steps: list[torch.nn.Module],
        pair_terms: list[torch.nn.Module],
        edge_scales: torch.Tensor,
        shifts: torch.Tensor,
    ) -> None:
        super().__init__()
        self.steps = torch.nn.ModuleList(steps)
        self.pair_terms = torch.nn.ModuleList(pair_terms)
        self.register_buffer("edge_scales", edge_scales)
        self.register_buffer("shifts", shifts)

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges (see `EdgeModel`)."""
        data: dict[str, torch.Tensor] = {
            "edge_vectors": edge_vectors,
            "edge_index": edge_index,
            "atom_types": atom_types,
        }
        for step in self.steps:
            data = step(data)
        raw = data["edge_energy"].to(torch.float64)
        centre_types = torch.index_select(atom_types, 0, edge_index[0])
        edge_energy = raw * torch.index_select(self.edge_scales, 0, centre_types)
        for pair_term in self.pair_terms:
            # The pair module adds its half of each pair to the centre of the edge. In a graph where every
            # edge has a centre of its own, its sum over edges is the term of one edge.
            n_edges = edge_vectors.size(0)
            own = torch.arange(n_edges, device=edge_index.device)
            separate: dict[str, torch.Tensor] = {}
            for key, value in data.items():
                separate[key] = value
            separate["edge_index"] = torch.stack([own, own + n_edges])
            separate["atom_types"] = torch.index_select(atom_types, 0, edge_index.reshape(-1))
            term = pair_term(separate)["atomic_energy"]
            edge_energy = edge_energy + term[:n_edges].to(torch.float64)
        return sum_over_edges(edge_energy, edge_index, atom_types, self.shifts), edge_energy


class EdgeModelWithForces(torch.nn.Module):
    """An `EdgeModel` and its derivatives: the three outputs of the contract, by position.

    One backward pass of the sum of all edge energies gives g_ij = dU_i/dr_ij for every edge, because an edge
    vector enters the energy of its own centre only. Gradients must be enabled where a scripted one is called:
    TorchScript cannot enable them itself.
    """

    def __init__(self, edge_model: EdgeModel) -> None:
        super().__init__()
        self.edge_model = edge_model

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """atomic_energy (N,1), edge_energy (E,1), edge_forces (E,3), all float64."""
        variable = edge_vectors.detach().requires_grad_(True)
        atomic_energy, edge_energy = self.edge_model(variable, edge_index, atom_types)
        edge_forces = torch.autograd.grad([edge_energy.sum()], [variable])[0]
        assert edge_forces is not None  # TorchScript types it Optional
        return atomic_energy.detach(), edge_energy.detach(), edge_forces.detach()


@dataclass
class Decomposition:
    """An `EdgeModel` and the facts of its source that the metadata and the decomposition stamp need."""

    edge_model: EdgeModel
    type_names: tuple[str, ...]
    cutoffs: tuple[float, ...]
    """(ntypes * ntypes) angstrom, row: centre, column: neighbour."""
    shifts: tuple[float, ...]
    scales: tuple[float, ...]
    single_average: bool
    """avg_num_neighbors is one number, not one per type."""
    has_pair_term: bool
    model_dtype: str

    def obstacles(self) -> list[str]:
        """Why the edge energies of this model could not be called cohesive, whatever it was trained on."""
        out = []
        if any(shift != 0.0 for shift in self.shifts):
            out.append("per-type energy shifts are not 0")
        if any(scale != 1.0 for scale in self.scales):
            out.append("per-type energy scales are not 1")
        if not self.single_average:
            out.append("avg_num_neighbors differs between types")
        if self.has_pair_term:
            out.append("a pair potential is added")
        return out


def kind(module: torch.nn.Module) -> str:
    """Class name of a module; packages carry their own copies of nequip's classes, identity says nothing."""
    return type(module).__name__


def decompose(model: torch.nn.Module) -> Decomposition:
    """The `Decomposition` of an eager nequip model; its modules are shared, not copied.

    Raises
    ------
    E3DError
        The model is not of Allegro's form; the message names the part that is in the way.
    """
    steps_by_name = _sequence(model)
    steps: list[torch.nn.Module] = []
    pair_terms: list[torch.nn.Module] = []
    reduce_step = scale_shift = None
    for name, step in steps_by_name:
        what = kind(step)
        if what in _GEOMETRY_STEPS:
            # Also after the edge sum: the envelope of a pair term depends on the edge alone.
            steps.append(step)
        elif what in _EMBEDDING_STEPS | _LAYER_STEPS and reduce_step is None:
            steps.append(step)
        elif what == "EdgewiseReduce" and reduce_step is None:
            reduce_step = step
        elif (
            what == "PerTypeScaleShift" and reduce_step is not None and scale_shift is None and not pair_terms
        ):
            scale_shift = step
        elif what in _PAIR_STEPS and reduce_step is not None:
            pair_terms.append(step)
        elif what == "AtomwiseReduce" and reduce_step is not None:
            continue
        else:
            raise E3DError(
                f"expected a model of Allegro's form, got the part '{name}' ({what}), which export cannot "
                "assign to edges; e3d takes models of allegro.model.AllegroModel"
            )
    if reduce_step is None or not any(kind(step) in _LAYER_STEPS for step in steps):
        raise E3DError(
            "expected a model with Allegro layers and an edge sum, found none; e3d takes Allegro models"
        )
    if reduce_step.reduce != "sum" or reduce_step.field != "edge_energy":
        raise E3DError(
            f"expected atomic energies that are the sum of edge energies, got the {reduce_step.reduce} of "
            f"'{reduce_step.field}'; e3d takes Allegro models"
        )

    type_names = tuple(str(name) for name in model.type_names)
    n_types = len(type_names)
    norms = reduce_step.norm_module.norm_const.detach().double().reshape(-1)
    scales = _per_type(scale_shift, "scales", 1.0, n_types)
    shifts = _per_type(scale_shift, "shifts", 0.0, n_types)
    edge_scales = (norms.expand(n_types) * scales / sqrt(2.0)).reshape(-1, 1)
    return Decomposition(
        edge_model=AllegroEdgeModel(steps, pair_terms, edge_scales.clone(), shifts.reshape(-1, 1).clone()),
        type_names=type_names,
        cutoffs=_cutoffs(model, n_types),
        shifts=tuple(shifts.tolist()),
        scales=tuple(scales.tolist()),
        single_average=norms.numel() == 1,
        has_pair_term=bool(pair_terms),
        model_dtype=str(model.model_dtype).removeprefix("torch."),
    )


def as_double(model: torch.nn.Module) -> torch.nn.Module:
    """A float64 copy of an eager nequip model: parameters widened, every intermediate in double."""
    model = copy.deepcopy(model).double()
    for module in model.modules():
        for name, value in list(vars(module).items()):
            if value is torch.float32:
                setattr(module, name, torch.float64)
    return model


def _sequence(model: torch.nn.Module) -> list[tuple[str, torch.nn.Module]]:
    """The named steps of a GraphModel, below its force output; refuses message passing by name."""
    if not getattr(model, "is_graph_model", False):
        raise E3DError(
            f"expected a nequip GraphModel, got {kind(model)}; give a checkpoint (.ckpt) or "
            "package (.nequip.zip)"
        )
    for name, module in model.named_modules():
        if any(word in kind(module) for word in _MESSAGE_PASSING_WORDS):
            raise E3DError(
                f"this is a message-passing model (it has '{name}', {kind(module)}): its energies "
                "are not edge-local, an edge's number depends on "
                "atoms beyond its centre's neighbours; e3d takes Allegro models"
            )
    inner = model.model
    if kind(inner) == "ForceStressOutput":
        inner = inner.func
    if kind(inner) != "SequentialGraphNetwork":
        raise E3DError(
            f"expected a sequence of nequip modules, got {kind(inner)}; e3d takes models of "
            "allegro.model.AllegroModel"
        )
    return list(inner.named_children())


def _per_type(module: torch.nn.Module | None, name: str, default: float, n_types: int) -> torch.Tensor:
    """(ntypes,) float64: the scales or shifts of a PerTypeScaleShift, or `default` where it has none."""
    if module is None or not getattr(module, f"has_{name}"):
        return torch.full((n_types,), default, dtype=torch.float64)
    return getattr(module, name).detach().double().cpu().reshape(-1).expand(n_types).clone()


def _cutoffs(model: torch.nn.Module, n_types: int) -> tuple[float, ...]:
    """(ntypes * ntypes) angstrom, from the metadata that nequip itself hands to its engines."""
    metadata = model.metadata
    if "per_edge_type_cutoff" in metadata:
        return tuple(float(word) for word in metadata["per_edge_type_cutoff"].split())
    return (float(metadata["r_max"]),) * (n_types * n_types)
