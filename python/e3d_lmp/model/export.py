"""From a nequip checkpoint or package to a model file that LAMMPS can trust.

Load, fold (`decomposition`), check the parts, contract, write under a temporary name, check the file,
rename.
"""

from __future__ import annotations

import copy
import importlib.metadata
import os
import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from ase.data import atomic_numbers

from e3d_lmp.errors import E3DError
from e3d_lmp.files import atomic_path, sha256_of
from e3d_lmp.model.contract import (
    AOTINDUCTOR,
    COHESIVE,
    DTYPES,
    ENGINE_BY_ENDING,
    NATIVE,
    RESCALED,
    UNKNOWN,
    ModelMetadata,
    engine_of,
    read_metadata,
)
from e3d_lmp.model.decomposition import Decomposition, EdgeModel, EdgeModelWithForces, as_double, decompose
from e3d_lmp.model.file import check_compiler, open_engine, open_model_file, write_model_file
from e3d_lmp.model.gate import (
    PARTS_TOLERANCE,
    GateReport,
    Graph,
    Reference,
    check_file,
    check_parts,
    edge_reference,
    gate_structures,
    nequip_reference,
)
from e3d_lmp.model.provenance import COHESIVE_TARGET, training_provenance
from e3d_lmp.model.slots import SlotLayout
from e3d_lmp.model.weights import extract_weights, write_weights


@dataclass
class ExportResult:
    """What `export_model` and `write_edge_model` did."""

    path: Path
    metadata: ModelMetadata
    reports: list[GateReport]
    notes: list[str]


def load_model(source: str | Path) -> torch.nn.Module:
    """The eager nequip model of a checkpoint (``.ckpt``) or package (``.nequip.zip``).

    Raises
    ------
    E3DError
        No such file, or nequip cannot load it.
    """
    from nequip.model.saved_models.load_utils import load_saved_model
    from nequip.utils.global_state import set_global_state

    source = Path(source)
    if not source.is_file():
        raise E3DError(f"no model '{source}'; give a nequip checkpoint (.ckpt) or package (.nequip.zip)")
    if source.name.endswith(tuple(ENGINE_BY_ENDING)):
        raise E3DError(
            f"'{source}' is already exported: give it to pair_coeff as it is (see 'e3d inspect {source}'), "
            "or export the nequip checkpoint (.ckpt) or package (.nequip.zip) that it came from"
        )
    set_global_state(allow_tf32=False)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = load_saved_model(str(source))
    except Exception as error:  # nequip, hydra, lightning and pickle each raise their own
        reason = str(error).strip().splitlines() or [""]
        raise E3DError(
            f"nequip cannot load '{source}' ({type(error).__name__}: {reason[0]}); expected a "
            "checkpoint (.ckpt) or package (.nequip.zip) "
            "of nequip >= 0.19, and every package it was trained with installed"
        ) from error
    return model.eval()


def export_model(
    source: str | Path | torch.nn.Module,
    output: str | Path,
    *,
    device: str = "cpu",
    dtype: str | None = None,
    cohesive: bool = False,
    contraction: bool = True,
    operators: bool = True,
    elements: Sequence[str] | None = None,
    training_data: str | None = None,
) -> ExportResult:
    """Write the model file of a trained Allegro model; nothing is written unless the gate passes.

    Parameters
    ----------
    source
        nequip checkpoint or package, or a loaded nequip model.
    output
        File ending in ``.safetensors`` (native engine), ``.nequip.pt2`` (AOTInductor) or ``.nequip.pth``
        (TorchScript).
    device
        ``cpu``, ``cuda`` or ``xpu``, for an AOTInductor file.
    dtype
        ``float32`` or ``float64``: arithmetic inside the network; by default that of the source. Only
        widening is allowed.
    cohesive
        Vouch that the training energies were E_coh; without it, only models of e3d's own training are known
        to be so.
    contraction
        Contract Allegro's tensor product centre-first (exact, and faster).
    operators
        Let files compiled for a CPU do so by our own operators (`e3d_lmp.model.layers`), not by a graph.
    elements
        Chemical symbol of each model type, where the type names are not symbols themselves.
    training_data
        One line for the metadata.

    Raises
    ------
    E3DError
        The source cannot be loaded, is not edge-local, fails the gate, has a part that the native engine does
        not know, or an argument is not as described.
    """
    output = Path(output)
    engine = engine_of(output)
    _check_device(device, engine)
    _check_folder(output)
    if engine == AOTINDUCTOR:
        check_compiler()  # now, not after a minute of checks
    provenance: dict[str, str] = {}
    sha256 = UNKNOWN
    if isinstance(source, torch.nn.Module):
        original = copy.deepcopy(source).eval().to("cpu")
        label = type(source).__name__
    else:
        original = load_model(source)
        provenance = training_provenance(source)
        sha256 = sha256_of(Path(source))
        label = str(source)
    # Refuses what is not edge-local before anything expensive or obscure can happen to it.
    facts = decompose(original)
    if engine == NATIVE:
        extract_weights(facts)
    source_dtype = facts.model_dtype
    dtype = dtype or source_dtype
    if dtype not in DTYPES or (dtype, source_dtype) == ("float32", "float64"):
        raise E3DError(
            f"expected --dtype {source_dtype} or float64 for this {source_dtype} model, got '{dtype}'"
        )
    type_elements = _elements(facts.type_names, elements)
    stamp, notes = _stamp(facts, cohesive, provenance.get("target") == COHESIVE_TARGET)
    r_max = max(facts.cutoffs)
    graphs = gate_structures(type_elements, r_max)

    widened = original if source_dtype == "float64" else as_double(original)
    # The large graph, the last one, takes seconds: it is for the widest arithmetic and for the finished file.
    own_graphs = graphs if widened is original else graphs[:-1]
    reports = [_check_decomposition(label, original, facts, own_graphs)]
    if widened is not original:
        # The same algebra without float32 rounding in the way: an error of 1e-7 cannot hide.
        reports.append(_check_decomposition(f"{label}, widened", widened, decompose(widened), graphs))
    reference_model = original if dtype == source_dtype else widened
    facts = decompose(reference_model)
    metadata = ModelMetadata(
        type_names=facts.type_names,
        type_elements=type_elements,
        r_max=r_max,
        cutoffs=facts.cutoffs,
        shifts=facts.shifts,
        scales=facts.scales,
        decomposition=stamp,
        model_dtype=dtype,
        device=device if engine == AOTINDUCTOR else "any",
        engine=engine,
        source_sha256=sha256,
        training_data=" ".join((training_data or provenance.get("training_data", "")).split()) or UNKNOWN,
    )
    if engine == NATIVE:
        result = _write_native(original, metadata, output, graphs)
    else:
        edge_model = decompose(copy.deepcopy(reference_model)).edge_model
        if contraction:
            _contract(edge_model, operators and engine == AOTINDUCTOR and device == "cpu")
        result = write_edge_model(
            edge_model,
            metadata,
            output,
            reference=nequip_reference(reference_model),
            edges=edge_reference(EdgeModelWithForces(facts.edge_model).eval()),
        )
    result.reports[:0] = reports
    result.notes[:0] = notes
    return result


def _write_native(
    model: torch.nn.Module, metadata: ModelMetadata, output: Path, graphs: Sequence[Graph]
) -> ExportResult:
    """Write the weights of a nequip model for the native engine, after they have passed the gate."""
    metadata = replace(
        metadata, nequip_version=_version("nequip"), nequip_allegro_version=_version("nequip-allegro")
    )
    with atomic_path(output) as written:
        write_weights(decompose(model), metadata, written)
        if read_metadata(written) != metadata:
            raise E3DError(f"'{output}': the metadata did not survive writing; report this")
        reports = _check_native(output.name, written, model, metadata, graphs)
    return ExportResult(output, metadata, reports, [])


def _check_native(
    subject: str, path: Path, model: torch.nn.Module, metadata: ModelMetadata, graphs: Sequence[Graph]
) -> list[GateReport]:
    """The gate of a file of the native engine: in float64, as closely as the parts of nequip's own model
    agree; last, in the precision that the file asks for."""
    widened = model if str(model.model_dtype) == "torch.float64" else as_double(model)
    reports = []
    for precision, reference in (("float64", widened), ("float32", model)):
        if precision == "float64" or precision == metadata.model_dtype:
            reports.append(
                check_file(
                    f"{subject} ({precision})",
                    open_engine(path, precision),
                    nequip_reference(reference),
                    edge_reference(EdgeModelWithForces(decompose(reference).edge_model).eval()),
                    metadata.cutoffs,
                    metadata.shifts,
                    graphs,
                    precision,
                    tolerance=PARTS_TOLERANCE[precision] if precision == "float64" else None,
                ).require()
            )
    return reports


def _contract(edge_model: EdgeModel, operators: bool) -> None:
    """Contract the tensor products with their centres first, in place; by operators if it can be done."""
    from e3d_lmp.model.contraction import contract_centres
    from e3d_lmp.model.layers import use_edge_operators

    if not (operators and use_edge_operators(edge_model)):
        contract_centres(edge_model, sorted_by_centre=True)


def write_edge_model(
    edge_model: EdgeModel,
    metadata: ModelMetadata,
    output: str | Path,
    *,
    reference: Reference | None = None,
    edges: Reference | None = None,
) -> ExportResult:
    """Write any `EdgeModel` with its metadata, after the file has passed the gate; the way in for analytic
    models.

    Parameters
    ----------
    metadata
        Its engine, device and versions are set here.
    reference
        Knows atomic energies and forces independently; by default `edge_model` itself, run eagerly.
    edges
        Knows the edge energies; by default `edge_model` itself, run eagerly.

    Raises
    ------
    E3DError
        The gate refuses the file, with the numbers; `output` is then left as it was.
    """
    output = Path(output)
    engine = engine_of(output)
    if engine == NATIVE:
        raise E3DError(
            f"the native engine runs Allegro models and '{output}' would be of another kind; write it as "
            ".nequip.pt2 or .nequip.pth"
        )
    device = metadata.device
    if engine == AOTINDUCTOR:
        device = "cpu" if device == "any" else device
        _check_device(device, engine)
    else:
        device = "cpu"
    metadata = replace(
        metadata,
        engine=engine,
        device=device if engine == AOTINDUCTOR else "any",
        torch_version=torch.__version__,
        nequip_version=_version("nequip"),
        nequip_allegro_version=_version("nequip-allegro"),
    )
    _check_folder(output)
    if engine == AOTINDUCTOR:
        check_compiler()
    eager = EdgeModelWithForces(edge_model).eval()
    oracle = edge_reference(copy.deepcopy(eager))
    graphs = gate_structures(metadata.type_elements, metadata.r_max)
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{output.name}.", dir=output.parent))
    except OSError as error:
        raise E3DError(f"cannot write {output}: {error.strerror or error}; choose another folder") from None
    try:
        written = folder / output.name
        write_model_file(eager, metadata.to_strings(), written, _example(metadata), device)
        if read_metadata(written) != metadata:
            raise E3DError(f"'{output}': the metadata did not survive writing; report this")
        report = check_file(
            output.name,
            open_model_file(written, device),
            reference or oracle,
            edges or oracle,
            metadata.cutoffs,
            metadata.shifts,
            graphs,
            metadata.model_dtype,
            device,
        ).require()
        written.replace(output)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ExportResult(output, metadata, [report], [])


def verify_file(path: str | Path, source: str | Path | torch.nn.Module) -> GateReport:
    """Run the gate on an existing model file, against the nequip model it claims to come from.

    Raises
    ------
    E3DError
        The file says or returns something else than its source.
    """
    metadata = read_metadata(path)
    model = source.eval() if isinstance(source, torch.nn.Module) else load_model(source)
    facts = decompose(model)
    if (metadata.model_dtype, facts.model_dtype) == ("float64", "float32"):
        model = as_double(model)
        facts = decompose(model)
    for name in ("type_names", "cutoffs", "shifts", "scales", "model_dtype"):
        want, got = getattr(facts, name), getattr(metadata, name)
        if want != got:
            raise E3DError(
                f"'{path}': its {name} are {got}, those of its source are {want}; export the model again"
            )
    graphs = gate_structures(metadata.type_elements, metadata.r_max)
    if metadata.engine == NATIVE:
        return _check_native(f"'{path}'", Path(path), model, metadata, graphs)[-1]
    device = "cpu" if metadata.device == "any" else metadata.device
    _check_device(device, metadata.engine)
    return check_file(
        f"'{path}'",
        open_model_file(path, device),
        nequip_reference(model),
        edge_reference(EdgeModelWithForces(facts.edge_model).eval()),
        metadata.cutoffs,
        metadata.shifts,
        graphs,
        metadata.model_dtype,
        device,
    ).require()


def _check_decomposition(
    label: str, model: torch.nn.Module, facts: Decomposition, graphs: Sequence[Graph]
) -> GateReport:
    """The first half of the gate: eager parts against the eager whole."""
    edge_model = EdgeModelWithForces(facts.edge_model).eval()
    subject = f"{label} ({facts.model_dtype})"
    return check_parts(
        subject, edge_model, nequip_reference(model), facts.shifts, graphs, facts.model_dtype
    ).require()


def _example(metadata: ModelMetadata) -> list[torch.Tensor]:
    """Inputs to trace with, in the layout of the pair style. Their values do not matter, their numbers do:
    tracing would take equal ones, and 0 and 1, for constants of the model."""
    generator = torch.Generator().manual_seed(1)
    n_centres, per_centre, n_types = 23, 13, len(metadata.type_names)
    n_edges = n_centres * per_centre
    vectors = torch.randn(n_edges, 3, generator=generator, dtype=torch.float64)
    lengths = 0.3 + 0.6 * torch.rand(n_edges, 1, generator=generator, dtype=torch.float64)
    vectors = vectors / vectors.norm(dim=1, keepdim=True) * lengths * metadata.r_max
    centre = torch.arange(n_centres).repeat_interleave(per_centre)
    slots = SlotLayout(n_centres, n_types)
    neighbour = slots.first_neighbour + torch.randint(n_types, (n_edges,), generator=generator)
    types = torch.randint(n_types, (n_centres + 1,), generator=generator).numpy()
    of_slots = torch.from_numpy(slots.types(types[:-1], types[-1]))
    return [vectors, torch.stack([centre, neighbour]), of_slots]


def _stamp(facts: Decomposition, vouched: bool, trained_on_cohesive: bool) -> tuple[str, list[str]]:
    """The decomposition stamp, and what to tell the user about it."""
    obstacles = facts.obstacles()
    if obstacles:
        if vouched:
            raise E3DError(
                f"--cohesive cannot be vouched for: {', '.join(obstacles)}; export without --cohesive to get "
                f"the stamp '{RESCALED}'"
            )
        return RESCALED, [
            f"stamped '{RESCALED}': {', '.join(obstacles)}; edge energies are not bond energies"
        ]
    if vouched or trained_on_cohesive:
        return COHESIVE, []
    return RESCALED, [
        f"stamped '{RESCALED}': nothing says that the training energies were cohesive; if they were "
        "E_system - sum of E_atom, export again with --cohesive"
    ]


def _elements(type_names: Sequence[str], elements: Sequence[str] | None) -> tuple[str, ...]:
    """Chemical symbol of each type, from the names or as given."""
    symbols = tuple(type_names if elements is None else elements)
    if len(symbols) != len(type_names):
        raise E3DError(
            f"expected --elements with {len(type_names)} symbols, one for each of the types "
            f"{' '.join(type_names)}, got {len(symbols)}: {' '.join(symbols)}"
        )
    unknown = [symbol for symbol in symbols if atomic_numbers.get(symbol, 0) == 0]
    if unknown:
        raise E3DError(
            f"'{' '.join(unknown)}' are not chemical symbols; say which element each of the types "
            f"{' '.join(type_names)} is, in this order, with --elements"
        )
    return symbols


def _check_device(device: str, engine: str) -> None:
    if device not in ("cpu", "cuda", "xpu"):
        raise E3DError(f"expected --device cpu, cuda or xpu, got '{device}'")
    if engine == AOTINDUCTOR and device != "cpu":
        present = {"cuda": torch.cuda.is_available(), "xpu": torch.xpu.is_available()}
        if not present[device]:
            raise E3DError(
                f"--device {device}: this torch ({torch.__version__}) sees no such device here, and a "
                ".nequip.pt2 is compiled on the device it will run on; export there, or write a "
                ".nequip.pth, which runs anywhere"
            )


def _check_folder(output: Path) -> None:
    if not output.parent.is_dir():
        raise E3DError(f"no folder '{output.parent}' to write '{output.name}' into; make it first")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise E3DError(f"cannot write '{output.name}' into the folder '{output.parent}': permission denied")


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return UNKNOWN
