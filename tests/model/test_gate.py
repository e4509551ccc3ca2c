"""The structures of the export gate, and faults that only a large graph or a late type shows."""

from __future__ import annotations

import pytest
import torch
from ase.data import chemical_symbols

from analytic_models import LENNARD_JONES
from e3d_lmp.errors import E3DError
from e3d_lmp.model import gate
from e3d_lmp.model.decomposition import EdgeModelWithForces


@pytest.mark.parametrize(
    ("elements", "r_max"),
    [
        (["C", "H", "O"], 5.0),
        (["Si"], 3.0),
        (["Cs", "H"], 1.5),
        (["C", "H"], 12.0),
        (chemical_symbols[1:90], 6.0),
        (["H"] * 30, 4.0),
    ],
)
def test_every_type_is_a_centre_and_a_neighbour(elements: list[str], r_max: float) -> None:
    graphs = gate.gate_structures(elements, r_max)
    for row in (0, 1):
        met = {int(t) for graph in graphs for t in graph.types[graph.edge_index[row]]}
        assert met == set(range(len(elements)))
    assert gate.LARGE_EDGES <= graphs[-1].edge_index.shape[1] < 2 * gate.LARGE_EDGES
    assert len(graphs[-1].types) <= 1000


class _Counting:
    """A model file that notes the edges of each call, and adds to the energies of long ones."""

    def __init__(self, model: EdgeModelWithForces, error: float) -> None:
        self.model, self.error = model, error
        self.calls: list[int] = []

    def __call__(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        atomic, edge, forces = self.model(*inputs)
        self.calls.append(len(edge))
        if len(edge) > 2000:
            atomic, edge = atomic * (1.0 + self.error), edge * (1.0 + self.error)
        return atomic, edge, forces


@pytest.mark.parametrize("error", [0.0, 1e-6])
def test_one_chunk_has_thousands_of_edges(error: float) -> None:
    """A fault of chunks as long as those of LAMMPS is found: small molecules would not show it."""
    potential, metadata = LENNARD_JONES.model()
    model = EdgeModelWithForces(potential).eval()
    known = gate.edge_reference(model)
    candidate = _Counting(model, error)
    graphs = gate.gate_structures(metadata.type_elements, metadata.r_max)
    report = gate.check_file(
        "counted", candidate, known, known, metadata.cutoffs, metadata.shifts, graphs, metadata.model_dtype
    )
    assert max(candidate.calls) > 2000 and sum(calls > 2000 for calls in candidate.calls) == 1
    if error:
        with pytest.raises(E3DError, match=r"counted is refused.*worst in cluster of"):
            report.require()
    else:
        report.require()
