"""`nequip-train` with faster layers in every model it builds: what `e3d train` starts.

    python -m e3d_lmp.training.launch -cp CONFIG_DIR -cn CONFIG_NAME [overrides] [++ckpt_path=FILE]

On a CPU they are those of `e3d_lmp.training.layers`, or what the key ``layers`` asks for, elsewhere the
contraction with the centre as a graph. All give the same numbers as nequip-allegro's layers, to which the
checkpoint belongs: it can be opened without this package.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from nequip.scripts.train import main as nequip_train
from nequip.train import NequIPLightningModule

from e3d_lmp.files import read_yaml
from e3d_lmp.model.export import load_model
from e3d_lmp.training.budget import write_if_finished
from e3d_lmp.training.layers import with_layers
from e3d_lmp.training.run import PARENT
from e3d_lmp.training.run_config import LAYERS
from e3d_lmp.training.start import weights_of

RESUME = "++ckpt_path="
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run `nequip-train` on faster models."""
    _end_with_parent()
    resumed = [Path(word.removeprefix(RESUME).strip("'")) for word in sys.argv if word.startswith(RESUME)]
    if resumed and write_if_finished(resumed[0]):
        return
    stock_build = NequIPLightningModule._build_model
    run = _configuration(sys.argv)
    on_cpu = run["trainer"]["accelerator"] == "cpu"
    layers = run.get("layers", LAYERS[0])  # older runs have no such key
    start = Path(run["start"]["path"]) if run.get("start") and not resumed else None
    # here, because a checkpoint is opened by the method that is replaced below
    first = load_model(start) if start else None

    def build_faster(self: NequIPLightningModule, config: dict[str, Any]) -> torch.nn.Module:
        model = stock_build(self, config)
        if first is not None:
            model.load_state_dict(weights_of(first, model, str(start)))
        return with_layers(model, layers, on_cpu and config["compile_mode"] == "eager")

    NequIPLightningModule._build_model = build_faster  # this process only
    nequip_train()


def _configuration(words: Sequence[str]) -> dict[str, Any]:
    """The configuration that the command line names."""
    name = words[words.index("-cn") + 1].removesuffix(".yaml")  # Lightning adds it for its further processes
    path = Path(words[words.index("-cp") + 1]) / f"{name}.yaml"
    return read_yaml(path, "the configuration of a training run")


def _end_with_parent() -> None:
    """Stop, with a checkpoint, if `e3d train` is killed: its folder must be free then (Linux)."""
    parent = os.environ.pop(PARENT, "")
    if not parent or not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):
        raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    main()
