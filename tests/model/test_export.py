"""Export: every normalisation is folded, both engines return the reference, and what does not add up is
refused.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from analytic_models import LENNARD_JONES, TERSOFF_SI, TERSOFF_SIC
from e3d_lmp.cli import main
from e3d_lmp.errors import E3DError
from e3d_lmp.extension import MODIFIER, register
from e3d_lmp.model import export, gate
from e3d_lmp.model import file as model_file
from e3d_lmp.model.contract import read_metadata
from e3d_lmp.model.decomposition import AllegroEdgeModel, EdgeModel, EdgeModelWithForces, as_double, decompose
from e3d_lmp.model.export import export_model, verify_file, write_edge_model
from e3d_lmp.model.file import check_compiler, open_model_file
from random_models import R_MAX, TYPE_NAMES, random_allegro, random_nequip
from tolerances import LADDER, close

VARIANTS = ["plain", "scaled", "zbl", "cutoffs", "spline", "everything"]


def _graphs() -> list[gate.Graph]:
    return gate.gate_structures(TYPE_NAMES, R_MAX, seed=99)  # others than the gate itself uses


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_parts_add_up_to_the_unmodified_model(variant: str, dtype: str) -> None:
    """sum_j eps_ij + mu_i = U_i on every atom, for every normalisation that nequip knows."""
    model = random_allegro(variant, dtype)
    facts = decompose(model)
    edge_model = EdgeModelWithForces(facts.edge_model).eval()
    report = gate.check_parts(
        variant, edge_model, gate.nequip_reference(model), facts.shifts, _graphs(), dtype
    )
    report.require()
    assert report.n_edges > 500


@pytest.mark.parametrize(
    ("variant", "ending", "dtype"),
    [
        ("plain", "pth", "float32"),
        ("everything", "pth", "float64"),
        ("everything", "pt2", "float32"),
        ("everything", "pt2", "float64"),
    ],
)
def test_file_returns_the_reference(variant: str, ending: str, dtype: str, model_files) -> None:
    """The written file against nequip on other structures than the gate's: energies, forces, edges."""
    model = random_allegro(variant, dtype)
    facts = decompose(model)
    candidate = open_model_file(model_files(f"allegro-{variant}", ending, dtype))
    known = gate.edge_reference(EdgeModelWithForces(facts.edge_model))
    ladder = LADDER[dtype]
    for graph in _graphs():
        want = gate.nequip_reference(model)(graph)
        for chunk in (1, 3, 1000):
            got, padding = gate.evaluate_in_chunks(candidate, graph, facts.cutoffs, chunk)
            assert padding == 0.0, "padding edges must contribute exactly nothing"
            close("edge energies", got.edge, known(graph).edge, ladder.edge_energy)
            close("atomic energies", got.atomic, want.atomic, ladder.atomic_energy)
            close("forces", got.forces, want.forces, ladder.force)


@pytest.mark.parametrize("ending", ["pth", "pt2"])
def test_slots_without_edges_have_the_energy_mu(ending: str, model_files) -> None:
    path = model_files("allegro-everything", ending, "float32" if ending == "pt2" else "float64")
    metadata = read_metadata(path)
    inputs = (
        torch.tensor([[6.1, 0.0, 0.0], [0.0, 6.1, 0.0]], dtype=torch.float64),
        torch.tensor([[1, 1], [3, 4]]),
        torch.tensor([2, 0, 0, 1, 2]),
    )
    atomic, edge, forces = open_model_file(path)(*inputs)
    close("mu", atomic[:, 0], [metadata.shifts[t] for t in (2, 0, 0, 1, 2)], 1e-10)
    assert not edge.any() and not forces.any()
    assert [tensor.dtype for tensor in (atomic, edge, forces)] == [torch.float64] * 3
    assert [tuple(tensor.shape) for tensor in (atomic, edge, forces)] == [(5, 1), (2, 1), (2, 3)]


def test_contraction_changes_nothing_but_speed(model_files) -> None:
    with_it = open_model_file(model_files("allegro-everything", "pth", "float64"))
    without = open_model_file(model_files("allegro-everything", "pth", "float64", contraction=False))
    facts = decompose(random_allegro("everything", "float64"))
    for graph in _graphs()[:4]:
        a, _ = gate.evaluate_in_chunks(with_it, graph, facts.cutoffs, 7)
        b, _ = gate.evaluate_in_chunks(without, graph, facts.cutoffs, 7)
        close("edge energies", a.edge, b.edge, LADDER["float64"].edge_energy)
        close("forces", a.forces, b.forces, LADDER["float64"].force)


def test_rotated_inputs_give_the_same_energies(model_files) -> None:
    seed = 4
    matrix = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    candidate = open_model_file(model_files("allegro-everything", "pth", "float64"))
    facts = decompose(random_allegro("everything", "float64"))
    graph = _graphs()[2]
    turned = copy.copy(graph)
    turned.positions = graph.positions @ torch.tensor(matrix)
    turned.cell = graph.cell @ torch.tensor(matrix)
    a, _ = gate.evaluate_in_chunks(candidate, graph, facts.cutoffs, 9)
    b, _ = gate.evaluate_in_chunks(candidate, turned, facts.cutoffs, 9)
    close(f"edge energies (seed {seed})", b.edge, a.edge, LADDER["float64"].edge_energy)
    close(f"forces (seed {seed})", b.forces, a.forces @ torch.tensor(matrix), LADDER["float64"].force)


def test_double_file_from_a_single_checkpoint(tmp_path: Path) -> None:
    """--dtype float64: the file equals the widened model in double, and the float32 one in single."""
    model = random_allegro("scaled", "float32")
    result = export_model(model, tmp_path / "wide.nequip.pth", dtype="float64")
    assert result.metadata.model_dtype == "float64"
    candidate, facts = open_model_file(result.path), decompose(model)
    graph = _graphs()[2]
    got, _ = gate.evaluate_in_chunks(candidate, graph, facts.cutoffs, 50)
    double = gate.nequip_reference(as_double(model))(graph)
    single = gate.nequip_reference(model)(graph)
    close("forces against double", got.forces, double.forces, LADDER["float64"].force)
    close("forces against single", got.forces, single.forces, LADDER["float32"].force)
    assert (double.forces - single.forces).abs().max() > 1e-9, "the widened model has to differ in its digits"
    with pytest.raises(E3DError, match="expected --dtype float64"):
        export_model(random_allegro("plain", "float64"), tmp_path / "no.nequip.pth", dtype="float32")


def test_forces_are_finite_differences_of_the_edge_energies() -> None:
    """g_ij = dU_i/dr_ij: central differences of one centre's energy in one edge vector."""
    model = EdgeModelWithForces(decompose(random_allegro("everything", "float64")).edge_model).eval()
    graph = _graphs()[1]
    vectors, index, types = graph.edge_vectors, graph.edge_index, graph.types
    _, _, g = model(vectors, index, types)
    step = 1e-4
    for edge, axis in ((0, 0), (5, 1), (vectors.shape[0] - 1, 2)):
        energies = []
        for sign in (1.0, -1.0):
            moved = vectors.clone()
            moved[edge, axis] += sign * step
            energies.append(model(moved, index, types)[0][index[0, edge], 0])
        close("g", (energies[0] - energies[1]) / (2 * step), g[edge, axis], 2e-7)


class _Tampered(EdgeModel):
    """An edge model with one property of the contract broken."""

    def __init__(self, model: EdgeModel, how: str) -> None:
        super().__init__()
        self.model = model
        self.how = how

    def forward(
        self, edge_vectors: torch.Tensor, edge_index: torch.Tensor, atom_types: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        atomic, edge = self.model(edge_vectors, edge_index, atom_types)
        if self.how == "edges scaled":
            edge = edge * 1.001
        elif self.how == "padding":
            edge = edge + 1e-7
        elif self.how == "forces":
            edge = edge + 1e-3 * (edge_vectors - edge_vectors.detach()).sum(1, keepdim=True) * edge.detach()
        elif self.how == "nan":
            edge = edge / (edge_vectors.square().sum(1, keepdim=True).sqrt() < 5.0).to(edge.dtype)
        elif self.how == "swapped":
            edge = edge.flip(0)
        return atomic, edge


@pytest.mark.parametrize("how", ["edges scaled", "padding", "forces", "nan", "swapped"])
def test_doctored_model_is_refused_and_nothing_is_left(how: str, tmp_path: Path) -> None:
    """Each with the numbers in the message; a file that was there before stays as it was."""
    model = random_allegro("plain", "float64")
    facts = decompose(model)
    metadata = read_metadata(export_model(model, tmp_path / "good.nequip.pth").path)
    before = (tmp_path / "good.nequip.pth").read_bytes()
    edges = gate.edge_reference(EdgeModelWithForces(facts.edge_model))
    with pytest.raises(E3DError, match=r"is refused.*allowed.*absolute"):
        write_edge_model(
            _Tampered(decompose(copy.deepcopy(model)).edge_model, how),
            metadata,
            tmp_path / "good.nequip.pth",
            reference=gate.nequip_reference(model),
            edges=edges,
        )
    assert [path.name for path in tmp_path.iterdir()] == ["good.nequip.pth"]
    assert (tmp_path / "good.nequip.pth").read_bytes() == before


@pytest.mark.parametrize("factor", ["norm", "sqrt2", "scales", "shifts", "pair"])
def test_forgotten_factor_is_refused(factor: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The gate, not our reading of nequip, guarantees the physical scale: forget any one factor and it says
    no.
    """
    model = random_allegro("everything", "float32")

    def careless(source: torch.nn.Module) -> object:
        facts = decompose(source)
        edge_model = facts.edge_model
        assert isinstance(edge_model, AllegroEdgeModel)
        if factor == "norm":
            edge_model.edge_scales *= 3.0
        elif factor == "sqrt2":
            edge_model.edge_scales *= 2.0**0.5
        elif factor == "scales":
            edge_model.edge_scales /= torch.tensor(facts.scales, dtype=torch.float64).reshape(-1, 1)
        elif factor == "shifts":
            facts.shifts = (0.0, 0.0, 0.0)
        else:
            edge_model.pair_terms = torch.nn.ModuleList()
        return facts

    monkeypatch.setattr(export, "decompose", careless)
    with pytest.raises(E3DError, match=r"is refused.*energy per atom"):
        export_model(model, tmp_path / "out.nequip.pth")
    assert list(tmp_path.iterdir()) == []


def test_file_of_another_model_is_refused(model_files) -> None:
    path = model_files("allegro-plain", "pth", "float32")
    assert verify_file(path, random_allegro("plain", "float32")).n_edges > 500
    with pytest.raises(E3DError, match="is refused"):
        verify_file(path, random_allegro("plain", "float32", seed=18))
    with pytest.raises(E3DError, match="its cutoffs are"):
        verify_file(path, random_allegro("cutoffs", "float32"))


def test_message_passing_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(E3DError, match=r"message-passing.*not edge-local"):
        export_model(random_nequip(), tmp_path / "out.nequip.pth")
    with pytest.raises(E3DError, match="expected a nequip GraphModel, got Linear"):
        export_model(torch.nn.Linear(2, 2), tmp_path / "out.nequip.pth")
    assert list(tmp_path.iterdir()) == []


def test_decomposition_stamp(tmp_path: Path) -> None:
    """cohesive needs mu = 0, sigma = 1, one avg_num_neighbors, no pair term, and someone's word on the
    targets.
    """
    out = tmp_path / "out.nequip.pth"
    plain = export_model(random_allegro("plain"), out)
    assert plain.metadata.decomposition == "rescaled" and "--cohesive" in plain.notes[0]
    assert export_model(random_allegro("plain"), out, cohesive=True).metadata.decomposition == "cohesive"
    for variant, reason in (("scaled", "per-type energy shifts"), ("zbl", "pair potential")):
        result = export_model(random_allegro(variant), out)
        assert result.metadata.decomposition == "rescaled" and reason in result.notes[0]
        with pytest.raises(E3DError, match=f"--cohesive cannot be vouched for.*{reason}"):
            export_model(random_allegro(variant), out, cohesive=True)


def test_own_training_is_known_to_be_cohesive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stamp follows the target that our training configurations write into the checkpoint."""
    source = tmp_path / "model.ckpt"
    source.write_bytes(b"stands for a checkpoint")
    monkeypatch.setattr(export, "load_model", lambda path: random_allegro("plain"))
    for target, stamp in (("E_coh", "cohesive"), ("E_total", "rescaled")):
        facts = {"target": target, "training_data": "a set\nof molecules"}
        monkeypatch.setattr(export, "training_provenance", lambda path, facts=facts: facts)
        metadata = export_model(source, tmp_path / "out.nequip.pth").metadata
        assert metadata.decomposition == stamp
        assert metadata.training_data == "a set of molecules"
        assert len(metadata.source_sha256) == 64


def test_type_names_that_are_no_symbols_need_elements(tmp_path: Path) -> None:
    potential, metadata = LENNARD_JONES.model()
    assert write_edge_model(potential, metadata, tmp_path / "lj.nequip.pth").metadata.type_elements == (
        "Ar",
        "Kr",
    )
    assert export._elements(["Hw", "Ow"], ["H", "O"]) == ("H", "O")
    with pytest.raises(E3DError, match=r"'Hw Ow' are not chemical symbols.*--elements"):
        export._elements(["Hw", "Ow"], None)
    with pytest.raises(E3DError, match="expected --elements with 2 symbols"):
        export._elements(["Hw", "Ow"], ["H"])


def test_command_line_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit code 2, and no file."""
    bad = tmp_path / "bad.ckpt"
    bad.write_bytes(b"not a checkpoint")
    for words, message in (
        ([str(tmp_path / "none.ckpt"), str(tmp_path / "o.nequip.pth")], "no model"),
        ([str(bad), str(tmp_path / "o.nequip.pth")], "nequip cannot load"),
        ([str(bad), str(tmp_path / "o.pt")], "expected a model file name ending"),
    ):
        assert main(["export", *words]) == 2
        assert message in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main(["export", str(bad), str(tmp_path / "o.nequip.pt2"), "--device", "cuda"]) == 2
        assert "sees no such device" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["bad.ckpt"]


def test_exported_files_and_packages_are_told_apart(
    model_files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = model_files("lj")
    assert main(["export", str(path), str(tmp_path / "o.nequip.pth")]) == 2
    assert f"'{path}' is already exported" in capsys.readouterr().err
    (tmp_path / "m.nequip.zip").write_bytes(b"a package")
    for name in ("m.nequip.zip", "m.ckpt"):
        assert main(["inspect", str(tmp_path / name)]) == 2
        assert f"make one with 'e3d export {tmp_path / name} OUT.safetensors'" in capsys.readouterr().err


def test_compiler_is_checked_before_anything_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch._inductor.config as inductor

    monkeypatch.setattr(export, "gate_structures", lambda *words: pytest.fail("the gate came first"))
    for compiler in ("/no/such/g++", "true"):  # absent, or no compiler at all
        reason = "working C\\+\\+ compiler.*write a .nequip.pth"
        with inductor.patch({"cpp.cxx": (compiler,)}), pytest.raises(E3DError, match=reason) as failure:
            check_compiler()
        assert failure.value.__cause__ is not None
    with inductor.patch({"cpp.cxx": ("/no/such/g++",)}):
        with pytest.raises(E3DError, match="working"):
            export_model(random_allegro("plain"), tmp_path / "o.nequip.pt2")
        with pytest.raises(E3DError, match="working"):
            write_edge_model(*LENNARD_JONES.model(), tmp_path / "o.nequip.pt2")
    assert list(tmp_path.iterdir()) == []


def test_errors_of_torch_are_one_line_with_their_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object) -> None:
        raise NotImplementedError("not to be scripted\nmany lines")

    monkeypatch.setattr(model_file, "_write_torchscript", fail)
    with pytest.raises(
        E3DError, match=r"^torch .* cannot write 'o.nequip.pth' \(NotImplementedError: not to be scripted\)$"
    ) as failure:
        write_edge_model(*LENNARD_JONES.model(), tmp_path / "o.nequip.pth")
    assert isinstance(failure.value.__cause__, NotImplementedError)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """/proc takes no files, whoever asks."""
    with pytest.raises(E3DError, match=r"cannot write .*o\.nequip\.pth"):
        write_edge_model(*LENNARD_JONES.model(), "/proc/o.nequip.pth")
    monkeypatch.setattr(export.os, "access", lambda *words: False)
    with pytest.raises(E3DError, match=r"into the folder .*: permission denied"):
        export_model(random_allegro("plain"), tmp_path / "o.nequip.pth")


def test_modifier_is_registered_with_nequip() -> None:
    """The extension hangs the centre contraction on Allegro's tensor product, under a name nequip finds."""
    from nequip.model.modify_utils import get_all_modifiers, modify

    assert register()
    model = copy.deepcopy(random_allegro("plain", "float64"))
    assert MODIFIER in get_all_modifiers(model)
    graph = _graphs()[0]
    before = gate.nequip_reference(model)(graph)
    model = modify(model, [{"modifier": MODIFIER}])
    assert any(type(module).__name__ == "CentreContracter" for module in model.modules())
    close("forces", gate.nequip_reference(model)(graph).forces, before.forces, LADDER["float64"].force)


@pytest.mark.parametrize("potential", [TERSOFF_SI, TERSOFF_SIC])
def test_tersoff_has_no_nan_where_atoms_stand_alone(potential) -> None:
    """A lone bond has b = 1 and finite forces: the tests' own model must not be the weak spot."""
    model = EdgeModelWithForces(potential.model()[0]).eval()
    vectors = torch.tensor([[1.9, 0.3, 0.0], [-1.9, -0.3, 0.0]], dtype=torch.float64)
    atomic, edge, forces = model(vectors, torch.tensor([[0, 1], [1, 0]]), torch.zeros(3, dtype=torch.int64))
    assert torch.isfinite(forces).all() and edge.abs().min() > 0.0
    close("two halves", atomic[0, 0] + atomic[1, 0], edge.sum(), 1e-12)
