"""A model that nequip compiled for its own pair style: refused, and the message says what it is."""

from __future__ import annotations

import copy
import re
from importlib import metadata
from pathlib import Path

import pytest
import torch

from e3d_lmp.cli import main
from random_models import R_MAX, TYPE_NAMES, random_allegro
from refusals import refused, with_model
from systems import box


def _data() -> dict[str, torch.Tensor]:
    """One structure as a training set would give it to nequip-compile."""
    from nequip.data import AtomicDataDict
    from nequip.data.ase import from_ase
    from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper, NeighborListTransform

    data = from_ase(box())
    data = ChemicalSpeciesToAtomTypeMapper(list(TYPE_NAMES))(data)
    return AtomicDataDict.batched_from_list([NeighborListTransform(R_MAX)(data)])


@pytest.fixture(scope="module")
def stock_model(request: pytest.FixtureRequest) -> Path:
    """What ``nequip-compile --mode aotinductor --target pair_allegro`` writes for a random Allegro.

    Kept between runs. The program itself, options and all; only the checkpoint that it would read, with its
    training set, is handed over in memory.
    """
    from nequip.scripts import compile as nequip_compile

    versions = [f"{name}-{metadata.version(name)}" for name in ("torch", "nequip", "nequip-allegro")]
    path = Path(request.config.cache.mkdir("e3d-models")) / f"stock-{'-'.join(versions)}.nequip.pt2"
    if not path.exists():
        model = copy.deepcopy(random_allegro("plain"))
        written = path.with_name("unfinished-" + path.name)
        words = ["model.ckpt", str(written), "--mode", "aotinductor", "--device", "cpu"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(nequip_compile, "load_saved_model", lambda *_, **__: (model, _data()))
            nequip_compile.main([*words, "--target", "pair_allegro"])
        written.rename(path)
    return path


@pytest.mark.slow
def test_compiled_for_nequips_own_pair_style(stock_model: Path, tmp_path: Path) -> None:
    """SLOW, because it compiles: 35 s of CPU time, the first time. Two ranks, and both stop."""
    message = f"cannot use model file {re.escape(str(stock_model))}: it has no e3d contract"
    refused(tmp_path, with_model(stock_model), message, "another pair style", "e3d export MODEL", ranks=2)


@pytest.mark.slow
def test_e3d_inspect_names_it_too(stock_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(stock_model)]) == 2
    assert "e3d export" in capsys.readouterr().err
