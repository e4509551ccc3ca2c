"""The export gate: a model whose edge energies do not add up to its atomic energies is not written.

For every atom of random and of real structures, |sum_j eps_ij + mu_i - U_i| must stay within a tolerance
times (sum_j |eps_ij| + 1e-3 eV), and the same for totals. U_i comes from the uncompiled, unmodified model
through its own way in (positions and a neighbour list). The scale holds no mu: an error must not hide behind
an atom of -1000 eV. The file is then called as LAMMPS calls it (slots, padding, chunks) and compared in
energies, edge energies and forces.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from ase import Atoms
from ase.build import bulk, molecule
from ase.data import atomic_numbers, covalent_radii
from ase.neighborlist import neighbor_list

from e3d_lmp.errors import E3DError
from e3d_lmp.model.contract import PADDING_LENGTH
from e3d_lmp.model.decomposition import EdgeModelWithForces
from e3d_lmp.model.slots import SlotLayout

PARTS_TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
"""Parts against the whole, in one and the same arithmetic."""
FILE_TOLERANCE = {"float32": 2e-5, "float64": 1e-11}
"""A written file against the uncompiled model: another order of the same operations."""
ENERGY_FLOOR = 1e-3
"""eV; keeps the tolerance of an atom with hardly any bonds above zero."""
FORCE_FLOOR = 1e-3
"""eV/angstrom, likewise."""
_ROUNDING = 4.0 * float(np.finfo(np.float64).eps)
"""U itself is a float64 near mu: it cannot be compared more closely than to its last digits."""
SEED = 20240611
"""Of the random structures: a number like any other, kept so that a refusal can be had again."""
SMALL_CLUSTERS = (5, 14, 24)
"""Atoms of the random clusters, the last one of each alone."""
SMALL_CHUNKS = (1, 7, 3, 10**6, 2, 5, 4)
"""Centres of a chunk, one structure after the other: single centres, some, and all at once."""
LARGE_EDGES = 3000
"""Edges of the gate's large graph, at least: a chunk of LAMMPS has thousands of them."""
_SUM_ROUNDING = {"float32": 2.0**-24, "float64": 2.0**-53}
"""A sum of n terms that nequip makes in the model's dtype is itself uncertain by about sqrt(n) of these."""

Candidate = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Sequence[torch.Tensor]]
"""A model file or an `EdgeModelWithForces`: called by position, gives the outputs by position."""


@dataclass
class Graph:
    """A structure with its directed edges, sorted by centre."""

    name: str
    positions: torch.Tensor
    """(n,3) float64, angstrom."""
    types: torch.Tensor
    """(n,) int64."""
    cell: torch.Tensor
    """(3,3) float64, rows; zeros where not periodic."""
    edge_index: torch.Tensor
    """(2,E) int64, atoms."""
    cell_shifts: torch.Tensor
    """(E,3) float64, whole cell vectors from the neighbour to the image meant."""

    @property
    def edge_vectors(self) -> torch.Tensor:
        """(E,3) float64, r_j - r_i with the image."""
        centre, neighbour = self.edge_index
        return self.positions[neighbour] - self.positions[centre] + self.cell_shifts @ self.cell

    @classmethod
    def from_atoms(cls, name: str, atoms: Atoms, types: Sequence[int] | np.ndarray, r_max: float) -> Graph:
        """All edges of `atoms` within `r_max` (angstrom), whatever the directed cutoffs of the model."""
        centre, neighbour, shifts = neighbor_list("ijS", atoms, r_max)
        order = np.argsort(centre, kind="stable")
        return cls(
            name=name,
            positions=torch.tensor(atoms.get_positions(), dtype=torch.float64),
            types=torch.tensor(np.asarray(types), dtype=torch.int64),
            cell=torch.tensor(np.asarray(atoms.cell), dtype=torch.float64),
            edge_index=torch.tensor(np.stack([centre[order], neighbour[order]]), dtype=torch.int64),
            cell_shifts=torch.tensor(shifts[order], dtype=torch.float64).reshape(-1, 3),
        )


@dataclass
class Energies:
    """What a model says about a `Graph`, all float64."""

    atomic: torch.Tensor
    """(n,) U_i, eV."""
    edge: torch.Tensor | None
    """(E,) eps_ij, eV; None from a model that knows none."""
    forces: torch.Tensor
    """(n,3) eV/angstrom."""
    edge_forces: torch.Tensor | None = None
    """(E,3) g_ij, eV/angstrom."""


Reference = Callable[[Graph], Energies]


def gate_structures(type_elements: Sequence[str], r_max: float, seed: int = SEED) -> list[Graph]:
    """Random clusters and real molecules and crystals in the elements of a model.

    Elements that the model lacks are replaced in turn by those it has, and lengths follow the covalent radii.
    Every small cluster also holds an atom without neighbours. A large one has `LARGE_EDGES` edges, and in it
    every type is a centre and a neighbour.
    """
    rng = np.random.default_rng(seed)
    radii = np.array([covalent_radii[atomic_numbers[element]] for element in type_elements])
    graphs = []
    for index, size in enumerate(SMALL_CLUSTERS):
        types = rng.integers(len(type_elements), size=size)
        types[: min(size, len(type_elements))] = np.arange(len(type_elements))[:size]
        positions = _random_positions(rng, radii[types])
        positions[-1] += 10.0 * r_max + 100.0
        atoms = Atoms([type_elements[t] for t in types], positions=positions)
        graphs.append(Graph.from_atoms(f"random cluster {index} (seed {seed})", atoms, types, r_max))
    originals: list[tuple[str, Atoms]] = [
        (name, molecule(name)) for name in ("H2O", "CH3CH2OH", "C6H6", "CH3CONH2", "CH3SH")
    ]
    originals += [
        ("diamond", bulk("C", "diamond", a=3.567)),
        ("rock salt", bulk("NaCl", "rocksalt", a=5.64)),
        ("fcc", bulk("Cu", "fcc", a=3.61, cubic=True)),
    ]
    for name, atoms in originals:
        graphs.append(Graph.from_atoms(name, *_in_elements(atoms, type_elements, rng), r_max))
    graphs.append(_large_cluster(rng, type_elements, radii, r_max))
    return graphs


def _large_cluster(
    rng: np.random.Generator, type_elements: Sequence[str], radii: np.ndarray, r_max: float
) -> Graph:
    """A rattled cube of atoms with at least `LARGE_EDGES` edges, in which every type has neighbours.

    `radii` are those of the types, (n,) angstrom.
    """
    # about a molecular liquid, and never without edges
    spacing = min(3.5 * float(np.mean(radii)), 0.8 * r_max)
    side = 4
    while True:
        grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
        positions = spacing * (grid + rng.uniform(-0.2, 0.2, grid.shape))
        types = rng.permutation(np.arange(len(grid)) % len(type_elements))
        atoms = Atoms([type_elements[t] for t in types], positions=positions)
        graph = Graph.from_atoms(f"cluster of {len(grid)} atoms", atoms, types, r_max)
        with_neighbours = torch.unique(graph.types[graph.edge_index[0]])
        if len(with_neighbours) == len(type_elements) and graph.edge_index.shape[1] >= LARGE_EDGES:
            return graph
        side += 1


def _random_positions(rng: np.random.Generator, radii: np.ndarray) -> np.ndarray:
    """(n,3) positions, angstrom, no two atoms closer than 0.8 of the sum of their radii."""
    placed = np.zeros((0, 3))
    box = 3.5 * float(np.mean(radii)) * len(radii) ** (1.0 / 3.0)  # about the density of a molecular liquid
    while len(placed) < len(radii):
        trial = rng.uniform(0.0, box, 3)
        distance = np.linalg.norm(placed - trial, axis=1)
        if np.all(distance > 0.8 * (radii[: len(placed)] + radii[len(placed)])):
            placed = np.vstack([placed, trial])
        else:
            box *= 1.001
    return placed


def _in_elements(
    atoms: Atoms, type_elements: Sequence[str], rng: np.random.Generator
) -> tuple[Atoms, np.ndarray]:
    """`atoms` in the elements at hand, scaled to their size and rattled, and the type of each."""
    atoms = atoms.copy()
    present = sorted(set(atoms.get_chemical_symbols()))
    missing = [element for element in present if element not in type_elements]
    spare = [e for e in type_elements if e not in present] or list(type_elements)
    spare.sort(key=lambda element: -covalent_radii[atomic_numbers[element]])  # hydrogen makes no crystals
    replace = {element: spare[k % len(spare)] for k, element in enumerate(missing)}
    symbols = [replace.get(symbol, symbol) for symbol in atoms.get_chemical_symbols()]
    before = np.mean([covalent_radii[number] for number in atoms.numbers])
    atoms.set_chemical_symbols(symbols)
    scale = float(np.mean([covalent_radii[number] for number in atoms.numbers]) / before)
    atoms.set_cell(np.asarray(atoms.cell) * scale)
    atoms.set_positions(atoms.get_positions() * scale + rng.normal(0.0, 0.03, (len(atoms), 3)))
    return atoms, np.array([list(type_elements).index(symbol) for symbol in symbols])


def nequip_reference(model: torch.nn.Module) -> Reference:
    """The uncompiled, unmodified nequip model, asked as nequip asks it: positions, edges, types, cell."""

    def evaluate(graph: Graph) -> Energies:
        data = {
            "pos": graph.positions.clone(),
            "edge_index": graph.edge_index,
            "atom_types": graph.types,
        }
        if bool(graph.cell.abs().sum() > 0.0):
            data["cell"] = graph.cell.clone().unsqueeze(0)
            data["edge_cell_shift"] = graph.cell_shifts
        out = model(data)
        return Energies(
            atomic=out["atomic_energy"].detach().double().reshape(-1),
            edge=None,
            forces=out["forces"].detach().double(),
        )

    return evaluate


def edge_reference(model: EdgeModelWithForces) -> Reference:
    """An eager edge model, asked with the atoms themselves as slots: no padding, no chunks."""

    def evaluate(graph: Graph) -> Energies:
        atomic, edge, edge_forces = model(graph.edge_vectors, graph.edge_index, graph.types)
        return Energies(atomic.reshape(-1), edge.reshape(-1), scatter_forces(graph, edge_forces), edge_forces)

    return evaluate


def scatter_forces(graph: Graph, edge_forces: torch.Tensor) -> torch.Tensor:
    """F_i = sum_j (g_ij - g_ji), (n,3)."""
    forces = torch.zeros_like(graph.positions)
    forces = forces.index_add(0, graph.edge_index[0], edge_forces)
    return forces.index_add(0, graph.edge_index[1], -edge_forces)


def evaluate_in_chunks(
    candidate: Candidate,
    graph: Graph,
    cutoffs: Sequence[float],
    chunk: int,
    device: str = "cpu",
) -> tuple[Energies, float]:
    """Call a model as the pair style does, and say what its padding gave.

    Per chunk of `chunk` centres (`SlotLayout`): edges beyond the directed cutoff of their types are left out;
    two padding edges of 1.5 r_max sit on the padding centre.

    Returns
    -------
    Energies
        Of the whole graph; edges that were left out have energy and force 0.
    float
        Largest magnitude (eV, eV/angstrom) that padding edges returned. It has to be 0.
    """
    n_atoms, n_types = len(graph.types), round(len(cutoffs) ** 0.5)
    table = torch.tensor(list(cutoffs), dtype=torch.float64).reshape(n_types, n_types)
    vectors = graph.edge_vectors
    centre, neighbour = graph.edge_index
    within = vectors.norm(dim=1) < table[graph.types[centre], graph.types[neighbour]]
    atomic = torch.zeros(n_atoms, dtype=torch.float64)
    edge = torch.zeros(len(centre), dtype=torch.float64)
    edge_forces = torch.zeros(len(centre), 3, dtype=torch.float64)
    padding = 0.0
    pad_vector = torch.tensor([[PADDING_LENGTH * max(cutoffs), 0.0, 0.0]], dtype=torch.float64)
    for first in range(0, n_atoms, chunk):
        n = min(chunk, n_atoms - first)
        mine = torch.nonzero(within & (centre >= first) & (centre < first + n)).reshape(-1)
        slots = SlotLayout(n, n_types)
        types = torch.from_numpy(slots.types(graph.types[first : first + n].numpy()))
        first_type, last_type = slots.first_neighbour, slots.first_neighbour + n_types - 1
        index = torch.stack(
            [
                torch.cat([centre[mine] - first, torch.tensor([slots.padding, slots.padding])]),
                torch.cat(
                    [
                        slots.first_neighbour + graph.types[neighbour[mine]],
                        torch.tensor([first_type, last_type]),
                    ]
                ),
            ]
        )
        inputs = (torch.cat([vectors[mine], pad_vector, -pad_vector]), index, types)
        outputs = candidate(*(tensor.to(device) for tensor in inputs))
        u, eps, g = (tensor.detach().to("cpu", torch.float64) for tensor in outputs)
        atomic[first : first + n] = u[:n, 0]
        edge[mine] = eps[:-2, 0]
        edge_forces[mine] = g[:-2]
        pads = torch.cat([eps[-2:].reshape(-1), g[-2:].reshape(-1)]).abs().max().item()
        padding = max(padding, pads) if pads == pads else float("nan")
    return Energies(atomic, edge, scatter_forces(graph, edge_forces), edge_forces), padding


@dataclass
class Check:
    """The worst case of one comparison."""

    name: str
    tolerance: float
    error: float = 0.0
    """Largest error in units of its scale: comparable with `tolerance`."""
    absolute: float = 0.0
    """The same error in its own unit."""
    where: str = "nowhere"

    def take(
        self, error: torch.Tensor, scale: torch.Tensor, where: str, slack: torch.Tensor | None = None
    ) -> None:
        """Keep the worst of `error` / `scale`, after an absolute `slack`; not-a-number is worst of all."""
        if error.numel() == 0:
            return
        error = error.abs().reshape(-1)
        excess = error if slack is None else (error - slack.reshape(-1)).clamp(min=0.0)
        ratio = torch.nan_to_num(excess / scale.reshape(-1), nan=float("inf"))
        worst = int(torch.argmax(ratio))
        if float(ratio[worst]) > self.error:
            self.error, self.absolute, self.where = float(ratio[worst]), float(error[worst]), where

    @property
    def passed(self) -> bool:
        """Whether the worst error is within the tolerance."""
        return self.error <= self.tolerance


@dataclass(frozen=True)
class Tolerances:
    """What a comparison allows, in units of its scales; `sum_rounding` is of one term of nequip's sum."""

    energy: float
    force: float
    sum_rounding: float


@dataclass
class GateReport:
    """All comparisons of one model or file."""

    subject: str
    checks: list[Check] = field(default_factory=list)
    n_atoms: int = 0
    n_edges: int = 0

    def require(self) -> GateReport:
        """This report, or an `E3DError` with the numbers of every comparison that failed."""
        failed = [check for check in self.checks if not check.passed]
        if self.n_edges == 0:
            raise E3DError(f"{self.subject}: the gate found no edges in its structures; is the cutoff right?")
        if failed:
            numbers = "; ".join(
                f"{check.name}: {check.error:.3g} of its scale, allowed {check.tolerance:.3g} "
                f"(absolute {check.absolute:.3g}, worst in {check.where})"
                for check in failed
            )
            raise E3DError(
                f"{self.subject} is refused, its parts do not add up to the uncompiled model: {numbers}. "
                "Nothing was written; report this if the model is a plain Allegro model"
            )
        return self

    def summary(self) -> str:
        """One line for people."""
        parts = ", ".join(f"{check.name} {check.error:.1e}" for check in self.checks)
        return f"{self.subject}: {self.n_atoms} atoms, {self.n_edges} edges checked: {parts}"


def check_parts(
    subject: str,
    model: EdgeModelWithForces,
    reference: Reference,
    shifts: Sequence[float],
    graphs: Sequence[Graph],
    dtype: str,
) -> GateReport:
    """Gate of the decomposition, in the arithmetic of the model itself."""
    evaluate = edge_reference(model)
    tolerances = Tolerances(PARTS_TOLERANCE[dtype], FILE_TOLERANCE[dtype], _SUM_ROUNDING[dtype])
    return _compare(subject, evaluate, reference, None, shifts, graphs, tolerances)


def check_file(
    subject: str,
    candidate: Candidate,
    reference: Reference,
    edges: Reference,
    cutoffs: Sequence[float],
    shifts: Sequence[float],
    graphs: Sequence[Graph],
    dtype: str,
    device: str = "cpu",
    tolerance: float | None = None,
) -> GateReport:
    """Gate of a written file: `reference` knows atoms and forces, `edges` the edge energies.

    Small graphs come in small chunks of different sizes, large ones in two: one of thousands of edges, and a
    rest. `tolerance` is by default that of compiled files, `FILE_TOLERANCE`.
    """
    padding = Check("padding edges", 1e-14)
    chunks = itertools.cycle(SMALL_CHUNKS)

    def evaluate(graph: Graph) -> Energies:
        is_large = graph.edge_index.shape[1] >= LARGE_EDGES
        chunk = len(graph.types) * 3 // 4 if is_large else next(chunks)
        energies, pads = evaluate_in_chunks(candidate, graph, cutoffs, chunk, device)
        padding.take(torch.tensor([pads]), torch.ones(1), graph.name)
        return energies

    allowed = FILE_TOLERANCE[dtype] if tolerance is None else tolerance
    tolerances = Tolerances(allowed, allowed, _SUM_ROUNDING[dtype])
    report = _compare(subject, evaluate, reference, edges, shifts, graphs, tolerances)
    report.checks.append(padding)
    return report


def _compare(
    subject: str,
    evaluate: Reference,
    reference: Reference,
    edges: Reference | None,
    shifts: Sequence[float],
    graphs: Sequence[Graph],
    allowed: Tolerances,
) -> GateReport:
    """Energies per atom and in total, edge energies where known, and forces, over all graphs."""
    atoms, total = Check("energy per atom", allowed.energy), Check("total energy", allowed.energy)
    own, forces = Check("sum of edges", allowed.energy), Check("forces", allowed.force)
    per_edge = Check("edge energies", allowed.energy)
    report = GateReport(subject, [atoms, total, own, forces])
    if edges is not None:
        report.checks.append(per_edge)
    mu_of_type = torch.tensor(list(shifts), dtype=torch.float64)
    for graph in graphs:
        want, got = reference(graph), evaluate(graph)
        assert got.edge is not None and got.edge_forces is not None
        mu, centre = mu_of_type[graph.types], graph.edge_index[0]
        zeros = torch.zeros(len(graph.types), dtype=torch.float64)
        sums = zeros.index_add(0, centre, got.edge)
        scale = zeros.index_add(0, centre, got.edge.abs()) + ENERGY_FLOOR
        # the last digits that U itself has lost: next to mu, and in nequip's own sum
        n_terms = torch.bincount(centre, minlength=len(zeros)).double()
        slack = _ROUNDING * mu.abs() + allowed.sum_rounding * n_terms.sqrt() * scale
        atoms.take(sums + mu - want.atomic, scale, graph.name, slack)
        own.take(got.atomic - sums - mu, scale, graph.name, slack)
        total.take(
            (sums.sum() + mu.sum() - want.atomic.sum()).reshape(1),
            got.edge.abs().sum().reshape(1) + ENERGY_FLOOR,
            graph.name,
            slack.sum().reshape(1),
        )
        g = got.edge_forces.norm(dim=1)
        strain = zeros.index_add(0, centre, g).index_add(0, graph.edge_index[1], g) + FORCE_FLOOR
        forces.take((got.forces - want.forces).norm(dim=1), strain, graph.name)
        if edges is not None:
            known = edges(graph).edge
            assert known is not None
            per_edge.take(got.edge - known, scale[centre], graph.name)
        report.n_atoms += len(graph.types)
        report.n_edges += len(centre)
    return report
