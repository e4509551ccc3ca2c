"""The heat current and the asymmetries in the loss of a training run, against the exported edge model."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from ase import Atoms
from nequip.data import AtomicDataDict
from nequip.data import from_ase as from_ase
from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper, NeighborListTransform
from nequip.utils.global_state import set_global_state

from e3d_lmp.errors import E3DError
from e3d_lmp.model.decomposition import EdgeModelWithForces, decompose
from e3d_lmp.training import heat_flux
from e3d_lmp.training.heat_flux import (
    HeatFluxModule,
    asymmetries,
    potential_heat_current,
    thermal_velocities,
    without_momentum,
)
from e3d_lmp.training.layers import with_layers
from random_models import R_MAX, TYPE_NAMES, random_allegro
from systems import box, cluster, thin
from tolerances import close


def batch_of(structures: list[Atoms]) -> AtomicDataDict.Type:
    """The structures as a batch of nequip."""
    mapper = ChemicalSpeciesToAtomTypeMapper(list(TYPE_NAMES))
    lister = NeighborListTransform(R_MAX)
    frames = []
    for atoms in structures:
        atoms = Atoms(atoms.get_chemical_symbols(), atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        frames.append(lister(mapper(from_ase(atoms))))
    return AtomicDataDict.batched_from_list(frames)


def direct(atoms: Atoms, velocities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """J without its kinetic part, and A of all pairs, from the exported edge model and ASE's neighbours."""
    from ase.neighborlist import neighbor_list

    facts = decompose(random_allegro("scaled", "float64"))
    i, j, vectors, shift = neighbor_list("ijDS", atoms, R_MAX)
    types = torch.tensor([facts.type_names.index(symbol) for symbol in atoms.get_chemical_symbols()])
    model = EdgeModelWithForces(facts.edge_model)
    energy, eps, g = (x.numpy() for x in model(torch.tensor(vectors), torch.tensor(np.stack([i, j])), types))
    current = (energy * velocities).sum(axis=0) - (vectors * (g * velocities[j]).sum(axis=1)[:, None]).sum(
        axis=0
    )
    by_edge = {(a, b, *s): e for a, b, s, e in zip(i, j, shift.tolist(), eps[:, 0], strict=True)}
    pairs = [e - by_edge[(b, a, *(-x for x in s))] for (a, b, *s), e in by_edge.items()]
    return current, np.sort(np.abs(pairs))[::2]


def test_terms_equal_the_edge_model() -> None:
    """A batch of a periodic box, a thin slab with many images, and an open cluster."""
    structures = [box(), thin(), cluster(8)]
    rng = np.random.default_rng(11)
    velocities = [rng.normal(0.0, 5.0, (len(atoms), 3)) for atoms in structures]
    model = random_allegro("scaled", "float64").train()
    try:
        output = model(batch_of(structures))
        got = potential_heat_current(output, torch.tensor(np.concatenate(velocities)))
        wants = [direct(atoms, v) for atoms, v in zip(structures, velocities, strict=True)]
        want = np.stack([current for current, _ in wants])
        close("J", got.detach().numpy() / np.abs(want).max(), want / np.abs(want).max(), 1e-9)
        scales = decompose(model).edge_model.edge_scales
        pairs = asymmetries(output, scales).detach().numpy()
        close("A", np.sort(np.abs(pairs)), np.sort(np.concatenate([a for _, a in wants])), 1e-9)
        assert np.abs(pairs).max() > 1e-3
        # both have a gradient in the weights
        for value in (got.square().sum(), asymmetries(output, scales).square().mean()):
            weights = [p for p in model.parameters() if p.requires_grad]
            gradients = torch.autograd.grad(value, weights, retain_graph=True, allow_unused=True)
            assert sum(g.abs().sum() for g in gradients if g is not None) > 0.0
        with pytest.raises(E3DError, match="no edge vectors"):
            potential_heat_current({"atomic_energy": output["atomic_energy"]}, torch.zeros(1, 3))
    finally:
        model.eval()


def test_velocities_have_the_temperature() -> None:
    """m v^2 = k T of every component, in LAMMPS's units."""
    torch.manual_seed(3)
    masses = torch.tensor([1.008, 15.999], dtype=torch.float64).repeat(20000)
    v = thermal_velocities(masses, 450.0)
    for mass in (1.008, 15.999):
        mean = 1.0364269e-4 * mass * v[masses == mass].square().mean() / 8.617343e-5
        assert abs(float(mean) - 450.0) < 10.0


def module_arguments() -> dict[str, Any]:
    """Of a training module with a small model."""
    set_global_state()
    metrics = [
        {
            "name": "force",
            "field": "forces",
            "coeff": 1.0,
            "metric": {"_target_": "nequip.train.MeanSquaredError"},
        }
    ]
    return {
        "model": {
            "_target_": "allegro.model.AllegroModel", "seed": 3, "model_dtype": "float64",
            "compile_mode": "eager", "r_max": R_MAX, "type_names": list(TYPE_NAMES), "l_max": 1,
            "num_layers": 1, "num_scalar_features": 8, "num_tensor_features": 4, "avg_num_neighbors": 9.0,
            "radial_chemical_embed": {"_target_": "allegro.nn.TwoBodyBesselScalarEmbed", "num_bessels": 4},
        },
        "loss": {"_target_": "nequip.train.MetricsManager", "metrics": metrics},
        "optimizer": {"_target_": "torch.optim.SGD", "lr": 1e-3},
        "num_datasets": {"train": 1, "val": 1, "test": 0, "predict": 0},
    }  # fmt: skip


def test_training_step_adds_the_terms() -> None:
    """The loss is nequip's plus coefficient times term; a step along its gradient makes |J|^2 smaller."""
    arguments = module_arguments()
    batch = batch_of([box()])
    batch["velocities"] = torch.tensor(box().arrays["velocities"])
    batch["forces"] = torch.zeros_like(batch["pos"])
    batch["heat_current"] = torch.tensor([[1.0, -2.0, 3.0]]).double()
    losses = {}
    terms_of = {"plain": {}, "all": {"heat_flux": 0.5, "asymmetry": 2.0, "difference": 0.25}}
    for name, terms in terms_of.items():
        module = HeatFluxModule(**arguments, **terms).train()
        module.log = module.log_dict = lambda *args, **kwargs: None
        module._trainer = None
        losses[name] = module.training_step(dict(batch), 0)
    output = module(dict(batch))
    flux, pairs = module.heat_flux_term(batch, output), module.asymmetry_term(batch, output)
    apart = module.difference_term(batch, output)
    want = (0.5 * flux + 2.0 * pairs + 0.25 * apart).item()
    close("loss", (losses["all"] - losses["plain"]).item(), want, 1e-9 * want)
    weights = [p for p in module.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(flux, weights, allow_unused=True)
    size = sum(float(g.square().sum()) for g in gradients if g is not None)
    with torch.no_grad():
        for p, g in zip(weights, gradients, strict=True):
            if g is not None:
                p -= 0.05 * float(flux) / size * g
    assert module.heat_flux_term(batch, module(dict(batch))) < 0.99 * flux
    with pytest.raises(E3DError, match="must not be negative"):
        HeatFluxModule(**arguments, heat_flux=-1.0)


def test_faster_layers() -> None:
    """The layers that `e3d train` trains with on a CPU give the same terms."""
    velocities = torch.tensor(np.random.default_rng(12).normal(0.0, 5.0, (len(box()) + len(thin()), 3)))
    terms = []
    for kind in ("stock", "edge", "centre"):
        model = with_layers(copy.deepcopy(random_allegro("scaled", "float64")).train(), kind, True)
        output = model(batch_of([box(), thin()]))
        pairs = asymmetries(output, decompose(model).edge_model.edge_scales)
        terms.append([potential_heat_current(output, velocities).detach().numpy(), pairs.detach().numpy()])
    for faster in terms[1:]:
        for name, got, want in zip(("J", "A"), faster, terms[0], strict=True):
            close(name, got / np.abs(want).max(), want / np.abs(want).max(), 1e-9)


def test_drawn_velocities_have_no_momentum(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that moves as a whole has no heat current, in every structure of a batch."""
    masses, frame = torch.tensor([1.0, 3.0, 2.0]).double(), torch.tensor([0, 0, 1])
    velocities = torch.tensor([[4.0, 0.0, 1.0], [0.0, 0.0, 1.0], [5.0, 6.0, 7.0]]).double()
    want = torch.tensor([[3.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]).double()
    close("v", without_momentum(velocities, masses, frame).numpy(), want.numpy(), 1e-12)

    monkeypatch.setattr(heat_flux, "thermal_velocities", lambda masses, _: torch.ones(len(masses), 3))
    module = HeatFluxModule(**module_arguments(), heat_flux=1.0).train()
    batch = batch_of([box(), cluster(8)])
    assert module.heat_flux_term(batch, module(dict(batch))) < 1e-20


def test_difference_to_given_currents() -> None:
    """Mean of |J - J_given|^2 per atom over the frames that have a current; the others add nothing, to the
    gradient either.
    """
    structures = [box(), thin(), cluster(8)]
    rng = np.random.default_rng(13)
    velocities = [rng.normal(0.0, 5.0, (len(atoms), 3)) for atoms in structures]
    module = HeatFluxModule(**module_arguments(), difference=1.0).train()
    batch = batch_of(structures)
    velocities[1][:] = np.nan
    batch["velocities"] = torch.tensor(np.concatenate(velocities))
    output = module(dict(batch))
    current = potential_heat_current(output, batch["velocities"].nan_to_num())
    off = torch.tensor([[1.0, 2.0, 3.0], [np.nan] * 3, [-4.0, 0.0, 0.5]]).double()
    batch["heat_current"] = current.detach() + off
    want = (14.0 / len(structures[0]) + 16.25 / len(structures[2])) / 2.0
    term = module.difference_term(batch, output)
    close("term", term.item(), want, 1e-9)
    weights = [p for p in module.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(term, weights, allow_unused=True, retain_graph=True)
    assert all(bool(g.isfinite().all()) for g in gradients if g is not None)
    batch["heat_current"] = torch.full((3, 3), torch.nan).double()
    assert module.difference_term(batch, output).item() == 0.0
    # velocities that are not given are drawn
    assert bool(module.heat_flux_term(batch, output).isfinite())
    del batch["heat_current"]
    with pytest.raises(E3DError, match="prepare them from extended XYZ with heat_current and velocities"):
        module.difference_term(batch, output)


def shared(
    batch: AtomicDataDict.Type, owners: torch.Tensor, strength: torch.Tensor, uneven: torch.Tensor
) -> AtomicDataDict.Type:
    """What a model returns whose pair energy is strength (3 - r)^4, and which moves uneven (q_i - q_j) of it
    to the pair's first atom, q the `owners`: energy is moved about, and no energy or force changes.
    """
    index, positions = batch["edge_index"], batch["pos"].double()
    vectors = (positions[index[1]] - positions[index[0]]).requires_grad_()
    near = (3.0 - vectors.norm(dim=1)).clamp(min=0.0) ** 4
    eps = (0.5 * strength + uneven * (owners[index[0]] - owners[index[1]])) * near
    energy = torch.zeros(len(owners)).double().index_add(0, index[0], eps)
    (g,) = torch.autograd.grad(energy.sum(), vectors, create_graph=True)
    forces = torch.zeros_like(positions).index_add(0, index[0], g).index_add(0, index[1], -g)
    return batch | {"edge_vectors": vectors, "atomic_energy": energy.unsqueeze(1), "forces": forces}


def test_the_term_takes_the_unphysical_part_and_leaves_the_other() -> None:
    """Forces of a pair potential, whose current is known, do not fix how a model shares its pairs: trained on
    them alone it keeps an uneven partition, and its current. A small |J|^2 takes most of the power of that,
    and of the physical current less than 1 %.
    """
    rng = np.random.default_rng(7)
    systems = []
    for _ in range(6):
        atoms = cluster(8)
        atoms.rattle(0.1, rng=rng)
        velocities, owners = (
            torch.tensor(rng.normal(0.0, 3.0, shape)) for shape in ((len(atoms), 3), len(atoms))
        )
        owners = owners / 3.0
        batch = batch_of([atoms])
        exact = shared(batch, owners, torch.tensor(1.0), torch.tensor(0.0))
        current = potential_heat_current(exact, velocities).detach()
        systems.append((batch, owners, velocities, exact["forces"].detach(), current))
    unphysical, physical = [], []
    for coefficient in (0.0, 1e-5):
        parameters = [torch.tensor(0.7, dtype=torch.float64, requires_grad=True) for _ in range(2)]
        optimizer = torch.optim.Adam(parameters, lr=0.02)
        for _ in range(200):
            optimizer.zero_grad()
            loss = torch.zeros((), dtype=torch.float64)
            for batch, owners, velocities, forces, _ in systems:
                output = shared(batch, owners, *parameters)
                current = potential_heat_current(output, velocities)
                loss = (
                    loss + (output["forces"] - forces).square().mean() + coefficient * current.square().sum()
                )
            loss.backward()
            optimizer.step()
        rest, whole, norm = 0.0, 0.0, 0.0
        for batch, owners, velocities, _, exact in systems:
            even = potential_heat_current(shared(batch, owners, parameters[0], torch.tensor(0.0)), velocities)
            uneven = potential_heat_current(shared(batch, owners, *parameters), velocities) - even
            rest += uneven.square().sum().item()
            whole += (even * exact).sum().item()
            norm += exact.square().sum().item()
        unphysical.append(rest / norm)
        physical.append(whole / norm)
    assert unphysical[0] > 0.5 and unphysical[1] < 0.2 * unphysical[0], unphysical
    assert abs(physical[0] - 1.0) < 1e-4 and 0.99 < physical[1] < 1.0, physical
