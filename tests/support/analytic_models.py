"""Edge models with exact answers, and the same parameters as LAMMPS input.

They go through the same export, plugin, dump and analysis as trained models, and LAMMPS's own pair styles say
what has to come out.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from e3d_lmp.model.contract import COHESIVE, ModelMetadata
from e3d_lmp.model.decomposition import EdgeModel, sum_over_edges

TYPE_ROW = (
    "m",
    "gamma",
    "lambda3",
    "c",
    "d",
    "costheta0",
    "n",
    "beta",
    "lambda2",
    "B",
    "R",
    "D",
    "lambda1",
    "A",
)
"""Order of the numbers in a line of a LAMMPS Tersoff file."""


def metadata_of(
    elements: Sequence[str], cutoffs: Sequence[float], dtype: str = "float64", shifts: Sequence[float] = ()
) -> ModelMetadata:
    """Metadata of an analytic model; engine and device are set when it is written."""
    return ModelMetadata(
        type_names=tuple(elements),
        type_elements=tuple(elements),
        r_max=max(cutoffs),
        cutoffs=tuple(cutoffs),
        shifts=tuple(shifts) or (0.0,) * len(elements),
        scales=(1.0,) * len(elements),
        decomposition=COHESIVE,
        model_dtype=dtype,
        device="any",
        engine="torchscript",
        training_data="analytic model of the tests",
    )


class PairModel(EdgeModel):
    """Pair potentials: the directed edge i -> j holds a share w_ij of the pair energy, w_ij + w_ji = 1.

    Parameters
    ----------
    form
        ``lj``: 4 a ((b/r)^12 - (b/r)^6); ``morse``: a (exp(-2 b (r - c)) - 2 exp(-b (r - c))), both cut, not
        shifted.
    parameters : (3, ntypes, ntypes)
        a, b and c of each pair of types; symmetric.
    cutoffs : (ntypes, ntypes) angstrom
    share : (ntypes, ntypes)
        w_ij by the types of centre and neighbour.
    """

    def __init__(
        self,
        form: str,
        parameters: torch.Tensor,
        cutoffs: torch.Tensor,
        share: torch.Tensor,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        n_types = cutoffs.shape[0]
        self.lennard_jones = form == "lj"
        self.n_types = n_types
        self.dtype = dtype
        self.register_buffer("parameters_by_pair", parameters.reshape(3, n_types * n_types).to(dtype))
        self.register_buffer("cutoffs", cutoffs.reshape(-1))
        self.register_buffer("share", share.reshape(-1).to(dtype))
        self.register_buffer("shifts", torch.zeros(n_types, 1, dtype=torch.float64))

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges (see `EdgeModel`)."""
        r = edge_vectors.square().sum(1).sqrt()
        pair = atom_types[edge_index[0]] * self.n_types + atom_types[edge_index[1]]
        a, b, c = (
            self.parameters_by_pair[0][pair],
            self.parameters_by_pair[1][pair],
            self.parameters_by_pair[2][pair],
        )
        x = r.to(self.dtype)
        if self.lennard_jones:
            s = (b / x) ** 6
            energy = 4.0 * a * (s * s - s)
        else:
            e = torch.exp(-b * (x - c))
            energy = a * (e * e - 2.0 * e)
        energy = torch.where(r < self.cutoffs[pair], self.share[pair] * energy, torch.zeros_like(energy))
        edge_energy = energy.to(torch.float64).unsqueeze(1)
        return sum_over_edges(edge_energy, edge_index, atom_types, self.shifts), edge_energy


@dataclass(frozen=True)
class PairPotential:
    """Parameters of a two-element `PairModel`, by unordered pair, and how LAMMPS is told of them."""

    form: str
    elements: tuple[str, ...]
    by_pair: dict[tuple[int, int], tuple[float, float, float, float]]
    """(i, j) with i <= j -> a, b, c, cutoff."""
    shares: dict[tuple[int, int], float]
    """(i, j) with i < j -> w_ij; like types share halves."""

    def model(self, dtype: str = "float64") -> tuple[EdgeModel, ModelMetadata]:
        """The edge model and its metadata."""
        n = len(self.elements)
        table = torch.zeros(4, n, n, dtype=torch.float64)
        share = torch.full((n, n), 0.5, dtype=torch.float64)
        for (i, j), values in self.by_pair.items():
            table[:, i, j] = table[:, j, i] = torch.tensor(values, dtype=torch.float64)
        for (i, j), value in self.shares.items():
            share[i, j], share[j, i] = value, 1.0 - value
        model = PairModel(self.form, table[:3], table[3], share, getattr(torch, dtype))
        return model, metadata_of(self.elements, table[3].reshape(-1).tolist(), dtype)

    def lammps_lines(self) -> str:
        """pair_style and pair_coeff lines of LAMMPS's own style; LAMMPS type k is element k - 1."""
        largest = max(values[3] for values in self.by_pair.values())
        style = {"lj": "lj/cut", "morse": "morse"}[self.form]
        lines = [f"pair_style {style} {largest}"]
        for (i, j), (a, b, c, cutoff) in self.by_pair.items():
            middle = f"{a!r} {b!r}" if self.form == "lj" else f"{a!r} {b!r} {c!r}"
            lines.append(f"pair_coeff {i + 1} {j + 1} {middle} {cutoff!r}")
        return "\n".join(lines)


LENNARD_JONES = PairPotential(
    "lj",
    ("Ar", "Kr"),
    {
        (0, 0): (0.0104, 3.40, 0.0, 7.0),
        (0, 1): (0.0125, 3.52, 0.0, 7.2),
        (1, 1): (0.0141, 3.65, 0.0, 7.5),
    },
    {},
)

MORSE = PairPotential(
    "morse",
    ("Cu", "Ag"),
    {
        (0, 0): (0.3429, 1.3588, 2.866, 6.0),
        (0, 1): (0.3370, 1.3638, 2.991, 6.2),
        (1, 1): (0.3323, 1.3690, 3.115, 6.5),
    },
    {(0, 1): 0.7},  # an uneven bond: A is 0.4 of D wherever unlike atoms meet
)


MORSE_CHO = PairPotential(
    "morse",
    ("C", "H", "O"),
    {
        (0, 0): (3.6, 2.0, 1.50, 2.0),
        (0, 1): (4.3, 1.9, 1.09, 2.0),
        (0, 2): (3.7, 2.1, 1.40, 2.0),
        (1, 1): (4.5, 4.0, 0.74, 2.0),
        (1, 2): (4.8, 2.3, 0.96, 2.0),
        (2, 2): (1.6, 2.5, 1.40, 2.0),
    },
    {(0, 1): 0.6, (1, 2): 0.3, (0, 2): 0.55},
)
"""Chemical bonds that can be pulled apart; without angles or saturation."""

_JUST_BONDS = {(0, 0): 2.0, (0, 1): 1.4, (0, 2): 1.85, (1, 1): 0.85, (1, 2): 1.3, (2, 2): 1.75}
MORSE_CHO_SHORT = replace(
    MORSE_CHO,
    by_pair={pair: (*values[:3], _JUST_BONDS[pair]) for pair, values in MORSE_CHO.by_pair.items()},
)
"""The same, cut just beyond 1.3 times the covalent radii: atoms that are not bonded feel nothing."""


class Tersoff(EdgeModel):
    """eps_ij = 1/2 f_C(r_ij) (f_R(r_ij) + b_ij f_A(r_ij)): J. Tersoff, Phys. Rev. B 37, 6991 (1988); 39, 5566
    (1989).

    Sums over pairs of edges of the same centre run over an (E,E) table: exact, traceable, and only for small
    systems.

    Parameters
    ----------
    table : dict of (ntypes**3,) float64
        The numbers of `TYPE_ROW` for every triple (i, j, k); m is 3 throughout.
    """

    def __init__(self, n_types: int, table: dict[str, torch.Tensor]) -> None:
        super().__init__()
        assert bool((table["m"] == 3.0).all())
        self.n_types = n_types
        for name in TYPE_ROW:
            self.register_buffer(name, table[name])
        self.register_buffer("shifts", torch.zeros(n_types, 1, dtype=torch.float64))

    def cut(self, r: torch.Tensor, big_r: torch.Tensor, big_d: torch.Tensor) -> torch.Tensor:
        """f_C: 1 below R - D, 0 above R + D, half a sine wave between."""
        inner = torch.clamp((r - big_r) / big_d, -1.0, 1.0)
        return 0.5 - 0.5 * torch.sin(0.5 * math.pi * inner)

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of the atoms and of the edges (see `EdgeModel`)."""
        n_edges = edge_vectors.size(0)
        r = edge_vectors.square().sum(1).sqrt()
        unit = edge_vectors / r.unsqueeze(1)
        centre = edge_index[0]
        type_i, type_j = atom_types[centre], atom_types[edge_index[1]]
        pair = (type_i * self.n_types + type_j) * self.n_types + type_j  # parameters of (i, j, j)

        # zeta: rows are the bond i-j, columns the other bonds i-k
        own = torch.arange(n_edges, device=centre.device)
        other = (centre.unsqueeze(1) == centre.unsqueeze(0)) & (own.unsqueeze(1) != own.unsqueeze(0))
        triple = (type_i * self.n_types + type_j).unsqueeze(1) * self.n_types + type_j.unsqueeze(0)
        cosine = unit @ unit.t()
        c2, d2 = self.c[triple].square(), self.d[triple].square()
        angle = self.gamma[triple] * (1.0 + c2 / d2 - c2 / (d2 + (cosine - self.costheta0[triple]).square()))
        stretch = self.lambda3[triple] * (r.unsqueeze(1) - r.unsqueeze(0))
        stretch = torch.where(other, stretch, torch.zeros_like(stretch))
        terms = self.cut(r.unsqueeze(0), self.R[triple], self.D[triple]) * angle * torch.exp(stretch.pow(3))
        zeta = torch.where(other, terms, torch.zeros_like(terms)).sum(1)

        # (beta zeta)^n has an infinite slope at 0 for n < 1; a bond without others has b = 1
        n = self.n[pair]
        alone = zeta <= 0.0
        power = (self.beta[pair] * torch.where(alone, torch.ones_like(zeta), zeta)).pow(n)
        order = torch.where(alone, torch.ones_like(zeta), (1.0 + power).pow(-0.5 / n))
        repulsive = self.A[pair] * torch.exp(-self.lambda1[pair] * r)
        attractive = -self.B[pair] * torch.exp(-self.lambda2[pair] * r)
        cut = self.cut(r, self.R[pair], self.D[pair])
        edge_energy = (0.5 * cut * (repulsive + order * attractive)).unsqueeze(1)
        return sum_over_edges(edge_energy, edge_index, atom_types, self.shifts), edge_energy


@dataclass(frozen=True)
class TersoffPotential:
    """Parameters of a Tersoff potential for every triple of elements."""

    elements: tuple[str, ...]
    rows: dict[tuple[str, str, str], dict[str, float]]

    def model(self) -> tuple[EdgeModel, ModelMetadata]:
        """The edge model and its metadata."""
        triples = [(a, b, c) for a, b, c in itertools.product(self.elements, repeat=3)]
        table = {
            name: torch.tensor([self.rows[triple][name] for triple in triples], dtype=torch.float64)
            for name in TYPE_ROW
        }
        cutoffs = [
            self.rows[a, b, b]["R"] + self.rows[a, b, b]["D"]
            for a, b in itertools.product(self.elements, repeat=2)
        ]
        return Tersoff(len(self.elements), table), metadata_of(self.elements, cutoffs)

    def potential_file(self) -> str:
        """The same numbers as a LAMMPS potential file, digit for digit."""
        lines = ["# DATE: 2026-01-01 UNITS: metal", "# " + " ".join(TYPE_ROW)]
        lines += [
            " ".join([*triple, *(repr(row[name]) for name in TYPE_ROW)]) for triple, row in self.rows.items()
        ]
        return "\n".join(lines) + "\n"


def _row(*numbers: float) -> dict[str, float]:
    return dict(zip(TYPE_ROW, numbers, strict=True))


def _mixed(elements: tuple[str, str], own: dict[str, dict[str, float]], chi: float) -> TersoffPotential:
    """Mixing rules of Phys. Rev. B 39, 5566 (1989): the angular part is the centre's own, the rest is
    averaged.
    """

    def mean(a: str, b: str, name: str) -> float:
        return 0.5 * (own[a][name] + own[b][name])

    def root(a: str, b: str, name: str) -> float:
        return math.sqrt(own[a][name] * own[b][name])

    rows = {}
    for i, j, k in itertools.product(elements, repeat=3):
        row = dict(own[i])
        row["lambda1"], row["lambda2"] = mean(i, j, "lambda1"), mean(i, j, "lambda2")
        row["A"] = root(i, j, "A")
        row["B"] = root(i, j, "B") * (1.0 if i == j else chi)
        # the cutoff of a triple is that of i-k: it belongs to f_C(r_ik)
        inner = math.sqrt((own[i]["R"] - own[i]["D"]) * (own[k]["R"] - own[k]["D"]))
        outer = math.sqrt((own[i]["R"] + own[i]["D"]) * (own[k]["R"] + own[k]["D"]))
        row["R"], row["D"] = 0.5 * (outer + inner), 0.5 * (outer - inner)
        rows[i, j, k] = row
    return TersoffPotential(elements, rows)


TERSOFF_SI = TersoffPotential(
    ("Si",),
    {
        ("Si", "Si", "Si"): _row(
            3.0, 1.0, 1.3258, 4.8381, 2.0417, 0.0, 22.956, 0.33675, 1.3258, 95.373, 3.0, 0.2, 3.2394, 3264.7
        )
    },
)

TERSOFF_SIC = _mixed(
    ("Si", "C"),
    {
        "Si": _row(
            3.0,
            1.0,
            0.0,
            1.0039e5,
            16.217,
            -0.59825,
            0.78734,
            1.1e-6,
            1.7322,
            471.18,
            2.85,
            0.15,
            2.4799,
            1830.8,
        ),
        "C": _row(
            3.0,
            1.0,
            0.0,
            3.8049e4,
            4.3484,
            -0.57058,
            0.72751,
            1.5724e-7,
            2.2119,
            346.74,
            1.95,
            0.15,
            3.4879,
            1393.6,
        ),
    },
    chi=0.9776,
)
