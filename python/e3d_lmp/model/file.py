"""Writing model files that torch runs, and opening model files of any engine."""

from __future__ import annotations

import subprocess
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from e3d_lmp.errors import E3DError
from e3d_lmp.model.contract import AOTINDUCTOR, INPUTS, NATIVE, OUTPUTS, engine_of
from e3d_lmp.model.decomposition import EdgeModelWithForces
from e3d_lmp.model.engine import EngineModel, Evaluator
from e3d_lmp.model.gate import Candidate
from e3d_lmp.model.operators import load_operators


class _ByName(torch.nn.Module):
    """The three tensors in and out under their names, as TorchScript files of the contract pass them."""

    def __init__(self, model: EdgeModelWithForces) -> None:
        super().__init__()
        self.model = model

    def forward(self, data: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        atomic_energy, edge_energy, edge_forces = self.model(
            data["edge_vectors"], data["edge_index"], data["atom_types"]
        )
        return {"atomic_energy": atomic_energy, "edge_energy": edge_energy, "edge_forces": edge_forces}


def check_compiler() -> None:
    """Compile a small program with the C++ compiler that torch takes for AOTInductor files.

    Raises
    ------
    E3DError
        There is no such compiler, or it does not work.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        compiler = get_cpp_compiler()
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "try.cpp"
            source.write_text("#include <vector>\nint main() { return std::vector<int>().size(); }\n")
            command = [compiler, str(source), "-o", str(source.with_suffix(""))]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
            if not source.with_suffix("").exists():
                raise OSError(f"{compiler} wrote no program")
    except Exception as error:  # of torch, of the system, or of the compiler
        raise E3DError(
            f"a .nequip.pt2 needs a working C++ compiler, and there is none ({_first_line(error)}); type "
            "'sudo apt-get install g++', set CXX to yours, or write a .nequip.pth, which needs none"
        ) from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def write_model_file(
    model: EdgeModelWithForces,
    strings: dict[str, str],
    path: Path,
    example: Sequence[torch.Tensor],
    device: str,
) -> None:
    """Write `model` with the metadata `strings`; the engine follows from the ending of `path`.

    Parameters
    ----------
    example
        Inputs of the contract to trace with; sizes well above 2 and different from each other.
    device
        ``cpu``, ``cuda`` or ``xpu``: where an AOTInductor file will run. TorchScript files run anywhere.

    Raises
    ------
    E3DError
        torch cannot trace, compile or write the model; its own exception is the cause.
    """
    model.eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    engine = engine_of(path)
    try:
        with warnings.catch_warnings():
            # Deprecation notes of torch about its own insides; nothing a caller could act on.
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            if engine == AOTINDUCTOR:
                _write_aotinductor(model.to(device), strings, path, [tensor.to(device) for tensor in example])
            else:
                _write_torchscript(model.to("cpu"), strings, path)
    except E3DError:
        raise
    except Exception as error:  # torch, its compilers and the system each raise their own
        advice = "; a .nequip.pth needs no compiler" if engine == AOTINDUCTOR else ""
        raise E3DError(
            f"torch {torch.__version__} cannot write '{path.name}' ({_first_line(error)}){advice}"
        ) from error


def _write_aotinductor(
    model: EdgeModelWithForces, strings: dict[str, str], path: Path, example: Sequence[torch.Tensor]
) -> None:
    # nequip imports this for its own exports too: loading a package needs it on torch >= 2.10.
    from torch._decomp import core_aten_decompositions
    from torch._inductor import codecache  # noqa: F401
    from torch.fx.experimental import _config as fx_config
    from torch.fx.experimental.proxy_tensor import make_fx

    torch._dynamo.reset()
    # Without duck shapes: a number of edges that happens to equal a layer width must stay free.
    with fx_config.patch(use_duck_shape=False):
        graph = make_fx(
            model,
            decomposition_table=dict(core_aten_decompositions()),
            tracing_mode="symbolic",
            _allow_non_fake_inputs=True,
            _error_on_data_dependent_ops=True,
        )(*(tensor.clone() for tensor in example))
    n_edges = torch.export.Dim("n_edges", min=2)
    n_slots = torch.export.Dim("n_slots", min=2)
    exported = torch.export.export(
        graph, tuple(example), dynamic_shapes=({0: n_edges}, {1: n_edges}, {0: n_slots})
    )
    torch._inductor.aoti_compile_and_package(
        exported,
        package_path=str(path),
        inductor_configs={
            "aot_inductor.metadata": strings,
            # The number of threads is the caller's at run time, not the exporting machine's.
            "cpp.dynamic_threads": True,
            # Torch's assembled constants ask for an executable stack, which glibc 2.41 refuses.
            "aot_inductor.use_consts_asm_build": False,
        },
    )


def _write_torchscript(model: EdgeModelWithForces, strings: dict[str, str], path: Path) -> None:
    from e3nn.util.jit import script

    scripted = script(_ByName(model).eval())
    torch.jit.save(scripted, str(path), _extra_files={key: text.encode() for key, text in strings.items()})


def open_engine(path: str | Path, precision: str | None = None) -> Candidate:
    """A file of the native engine as a function of the contract's tensors; `precision`: of `EngineModel`."""
    evaluator = Evaluator(EngineModel(path, precision))

    def call(vectors: torch.Tensor, index: torch.Tensor, types: torch.Tensor) -> list[torch.Tensor]:
        centres, neighbours = index.numpy()
        of_slots = types.numpy()
        first = np.searchsorted(centres, np.arange(len(of_slots) + 1))
        out = evaluator.evaluate(first, of_slots, of_slots[neighbours], vectors.numpy())
        assert out.edge_forces is not None
        energies = (torch.from_numpy(array).reshape(-1, 1) for array in (out.energy, out.edge_energy))
        return [*energies, torch.from_numpy(out.edge_forces)]

    return call


def open_model_file(path: str | Path, device: str = "cpu") -> Candidate:
    """A function of the contract's inputs, by position, that returns its outputs by position.

    Raises
    ------
    E3DError
        torch, or the native engine, cannot load the file.
    """
    path = Path(path)
    if engine_of(path) == NATIVE:
        return open_engine(path)
    try:
        if engine_of(path) == AOTINDUCTOR:
            from torch._inductor import codecache  # noqa: F401

            load_operators()
            return torch._inductor.aoti_load_package(str(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(path), map_location=device).eval()
    except (RuntimeError, ValueError, OSError) as error:
        raise E3DError(
            f"torch cannot load '{path}' ({str(error).splitlines()[0]}); export the model again with this "
            f"torch ({torch.__version__})"
        ) from None

    def call(*tensors: torch.Tensor) -> list[torch.Tensor]:
        # Two plain passes beat the two profiled compilations that every new size would cost.
        with torch.jit.optimized_execution(False):
            out = module(dict(zip(INPUTS, tensors, strict=True)))
        return [out[name] for name in OUTPUTS]

    return call
