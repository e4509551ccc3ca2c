"""CPU time of a training step with forces: nequip-allegro's layers, ours of every kind, torch.compile.

    python scripts/benchmarks/bench_training.py DATA --tensor 8 32 --batch 5 --output training.json

The folder is what ``e3d data prepare`` wrote. A step is the model, the loss of energies and forces, its
gradient in every weight, Adam and the moving average of the weights, as `e3d train` does it, on one thread.
All variants take their turn at the same batches, and the best of the turns counts, so that a busy machine
troubles all alike.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from nequip.data import AtomicDataDict
from nequip.data.dataset import NequIPLMDBDataset
from nequip.train import EMALightningModule
from nequip.utils.global_state import set_global_state

from e3d_lmp.model.contraction import contract_centres
from e3d_lmp.model.layers import use_edge_operators
from e3d_lmp.training.layers import use_centre_layers
from e3d_lmp.training.run import MALLOC
from e3d_lmp.training.run_config import Options, compose, read_data

Batch = dict[str, torch.Tensor]
CHANGES: dict[str, Callable[[torch.nn.Module], Any]] = {
    "stock": lambda model: None,
    "contraction": contract_centres,
    "edge": use_edge_operators,
    "centre": use_centre_layers,
    "compile": lambda model: None,
}
"""What is done to the layers of nequip-allegro; ``edge`` and ``centre`` are values of the key ``layers``."""


class Step:
    """A training module with random weights, and one step of it."""

    def __init__(self, data: Path, tensor: int, name: str, dtype: str = "float32") -> None:
        values = {"tensor": tensor, "compile": name == "compile"}
        with tempfile.TemporaryDirectory() as folder:
            options = Options(steps=1000, values=values, overrides=[f"dtype={dtype}"])
            config = compose("tensor32", read_data(data), Path(folder), options)["training_module"]
        config = {key: value for key, value in config.items() if key != "_target_"}
        sets = {"train": 1, "val": 1, "test": 0, "predict": 0}
        self.module = EMALightningModule(**config, num_datasets=sets).train()
        CHANGES[name](self.module.model)
        self.optimizer = torch.optim.Adam(self.module.parameters(), lr=1e-4)

    def gradient(self, batch: Batch) -> float:
        """The loss of a batch; its gradient is in the weights."""
        loss = self.module.loss(self.module(batch.copy()), batch)["weighted_sum"]
        self.optimizer.zero_grad()
        loss.backward()
        return float(loss.detach())

    def __call__(self, batch: Batch) -> None:
        self.gradient(batch)
        self.optimizer.step()
        self.module.ema.update_parameters(self.module.model)


def measure(steps: dict[str, Step], batches: list[Batch], turns: int) -> dict[str, float]:
    """CPU seconds of a step, mean over the batches of the best turn at each."""
    best = {name: [float("inf")] * len(batches) for name in steps}
    for turn in range(turns):
        for k, batch in enumerate(batches):
            names = list(steps)[turn % len(steps) :] + list(steps)[: turn % len(steps)]
            for name in names:
                start = time.process_time()
                steps[name](batch)
                best[name][k] = min(best[name][k], time.process_time() - start)
    return {name: sum(times) / len(times) for name, times in best.items()}


def largest_difference(data: Path, tensor: int, name: str, batch: Batch) -> float:
    """Largest difference of a weight's gradient from stock's, relative to the largest of that weight, in
    float64."""
    gradients = []
    for kind in ("stock", name):
        step = Step(data, tensor, kind, "float64")
        step.gradient(
            {key: value.double() if value.is_floating_point() else value for key, value in batch.items()}
        )
        gradients.append([p.grad for p in step.module.model.parameters() if p.grad is not None])
    pairs = zip(*gradients, strict=True)
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in pairs)


def keep_pages() -> None:
    """Start this process again with the malloc of `e3d train`."""
    if any(os.environ.get(name) != value for name, value in MALLOC.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | MALLOC)


def main() -> None:
    """Measure each kind of layers and print the table."""
    parser = argparse.ArgumentParser(description="CPU time of a training step")
    parser.add_argument("data", type=Path, help="folder of e3d data prepare")
    parser.add_argument("--tensor", type=int, nargs="+", default=[8, 32])
    parser.add_argument("--batch", type=int, nargs="+", default=[5])
    parser.add_argument("--variants", nargs="+", default=["stock", "edge", "centre"], choices=list(CHANGES))
    parser.add_argument("--batches", type=int, default=6, help="batches that all take their turn at")
    parser.add_argument("--turns", type=int, default=8, help="turns; the best one counts")
    parser.add_argument("--output", type=Path, help="write the rows here as JSON")
    args = parser.parse_args()
    keep_pages()
    torch.set_num_threads(1)
    set_global_state()
    dataset = NequIPLMDBDataset(str(args.data / "train.lmdb"))
    rows = []
    for tensor in args.tensor:
        for size in args.batch:
            frames = [dataset[index] for index in range(args.batches * size)]
            batches = [
                AtomicDataDict.batched_from_list(frames[i : i + size]) for i in range(0, len(frames), size)
            ]
            edges = sum(frame["edge_index"].shape[1] for frame in frames) / len(batches)
            steps, first = {}, {}
            for name in args.variants:
                start = time.process_time()
                steps[name] = Step(args.data, tensor, name)
                steps[name](batches[0])
                first[name] = time.process_time() - start
            seconds = measure(steps, batches, args.turns)
            difference = largest_difference(args.data, tensor, "centre", batches[0])
            row = {"tensor": tensor, "batch": size, "edges": edges, "seconds": seconds, "first_step": first}
            rows.append(row | {"gradient_difference": difference})
            for name, value in seconds.items():
                ratio = seconds[args.variants[0]] / value
                print(
                    f"tensor {tensor:3d}, {size:2d} frames, {edges:5.0f} edges: {name:12s} "
                    f"{1e3 * value:7.2f} ms a step, {1e6 * value / edges:6.2f} us an edge, {ratio:5.2f} x; "
                    f"first step {first[name]:.1f} s",
                    flush=True,
                )
            print(f"gradients of centre differ from stock's by {difference:.1e} in float64", flush=True)
    if args.output:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        args.output.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
