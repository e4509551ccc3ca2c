"""Fixtures shared by all tests: exported models, written once and kept between runs."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# One thread each: tests run LAMMPS on several ranks, and small models gain nothing from more.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# torch's own trace would fill every failure report.
logging.getLogger("torch.__trace").propagate = False

ROOT = Path(__file__).resolve().parents[1]

ModelFiles = Callable[..., Path]


def _code_hash() -> str:
    """Hash of everything an exported model depends on, so that a change makes the kept files stale."""
    import torch

    import e3d_lmp

    digest = hashlib.sha256(torch.__version__.encode())
    package = Path(e3d_lmp.__file__).parent
    sources = sorted((package / "model").glob("*.py"))
    sources += [
        Path(__file__).parent / f"support/{name}.py"
        for name in ("analytic_models", "native_models", "random_models")
    ]
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


@pytest.fixture(scope="session")
def model_files(request: pytest.FixtureRequest) -> Iterator[ModelFiles]:
    """A function: name, ending and options of a model -> its exported file, written on first use.

    Names: ``lj``, ``morse``, ``morse-cho``, ``morse-cho-short``, ``tersoff-si``, ``tersoff-sic``, or
    ``allegro-VARIANT`` with the variants of `random_models.VARIANTS`, or ``organic-small``, which is shipped
    and float32. Endings: ``pth``, ``pt2``; for Allegro
    also ``safetensors``, which a test that only needs *a* model takes: such files need no torch and are
    loaded in no time. Options: ``dtype``; for Allegro also ``contraction``.
    """
    import torch

    torch.set_num_threads(1)
    folder = Path(request.config.cache.mkdir("e3d-models")) / _code_hash()
    folder.mkdir(parents=True, exist_ok=True)

    from lammps_runs import KOKKOS_THREADS

    def get(name: str, ending: str = "pth", dtype: str = "float64", contraction: bool = True) -> Path:
        if KOKKOS_THREADS and name.startswith("allegro-"):
            ending = "safetensors"  # what runs on a device
        ending = ending if ending == "safetensors" else f"nequip.{ending}"
        path = folder / f"{name}-{dtype}{'' if contraction else '-stock'}.{ending}"
        if not path.exists():
            _export(name, path, dtype, contraction)
        return path

    yield get


@pytest.fixture(scope="session")
def organic_of_torch(model_files: ModelFiles) -> Path:
    """The shipped model organic-small as a TorchScript file."""
    return model_files("organic-small", dtype="float32")


@pytest.fixture(scope="session")
def metals(model_files: ModelFiles) -> Path:
    """A random Allegro for Cu and Ag with the cutoffs of the Morse model, on the native engine: for tests
    that need a model and no bonds.
    """
    return model_files("allegro-metals", "safetensors")


@pytest.fixture(scope="session")
def morse(model_files: ModelFiles) -> Path:
    """Morse bonds between Cu and Ag, on torch."""
    return model_files("morse")


@pytest.fixture(scope="session")
def morse_cho(model_files: ModelFiles) -> Path:
    """Morse bonds between C, H and O, to 2 angstrom."""
    return model_files("morse-cho")


@pytest.fixture(scope="session")
def short_morse_cho(model_files: ModelFiles) -> Path:
    """The same bonds, which end where `cutoff covalent` does."""
    return model_files("morse-cho-short")


def _export(name: str, path: Path, dtype: str, contraction: bool) -> None:
    from analytic_models import (
        LENNARD_JONES,
        MORSE,
        MORSE_CHO,
        MORSE_CHO_SHORT,
        TERSOFF_SI,
        TERSOFF_SIC,
    )
    from e3d_lmp.model.export import export_model, write_edge_model
    from native_models import write_native
    from random_models import random_allegro

    analytic = {
        "lj": lambda: LENNARD_JONES.model(dtype),
        "morse": lambda: MORSE.model(dtype),
        "morse-cho": lambda: MORSE_CHO.model(dtype),
        "morse-cho-short": lambda: MORSE_CHO_SHORT.model(dtype),
        "tersoff-si": TERSOFF_SI.model,
        "tersoff-sic": TERSOFF_SIC.model,
    }
    if name in analytic:
        write_edge_model(*analytic[name](), path)
        return
    if name == "organic-small":
        export_model(ROOT / "inputs/models/organic-small.nequip.zip", path)
        return
    model = random_allegro(name.removeprefix("allegro-"), dtype)
    if path.suffix == ".safetensors":
        write_native(model, path)
    else:
        export_model(model, path, contraction=contraction)
