"""CPU time of a frame in training, and of an edge outside it, in eager mode: stock layers and ours.

    python scripts/benchmarks/bench_training.py DATA

The folder is what ``e3d data prepare`` wrote. All models see the same frames, on one thread.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch
from allegro.model import AllegroModel
from nequip.data import AtomicDataDict
from nequip.data.dataset import NequIPLMDBDataset
from nequip.utils.global_state import set_global_state

from e3d_lmp.model.contraction import contract_centres
from e3d_lmp.model.layers import use_edge_operators
from e3d_lmp.training.model import allegro_config

FRAMES, BATCH, REPEATS = 60, 5, 3


def build() -> torch.nn.Module:
    """The model of ``e3d train tensor32`` with random weights."""
    config = allegro_config(type_names=["H", "C", "N", "O", "S", "F", "Cl"], avg_num_neighbors=16.0)
    return AllegroModel(**{key: value for key, value in config.items() if key != "_target_"})


def with_operators(model: torch.nn.Module) -> torch.nn.Module:
    """The model with the layers that `e3d train` uses on a CPU."""
    if not use_edge_operators(model):
        raise SystemExit("bench_training: error: not an Allegro model that our layers fit")
    return model


def seconds(model: torch.nn.Module, batches: list[dict[str, torch.Tensor]], train: bool) -> float:
    """Best CPU time of one pass over the batches."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    best = float("inf")
    for _ in range(REPEATS + 1):
        start = time.process_time()
        for batch in batches:
            out = model(batch.copy())
            if train:
                loss = out["forces"].square().mean() + out["total_energy"].square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    """Measure each kind of layers and print the table."""
    torch.set_num_threads(1)
    set_global_state()
    dataset = NequIPLMDBDataset(str(Path(sys.argv[1]) / "train.lmdb"))
    frames = [dataset[index] for index in range(FRAMES)]
    batches = [AtomicDataDict.batched_from_list(frames[i : i + BATCH]) for i in range(0, FRAMES, BATCH)]
    edges = sum(frame["edge_index"].shape[1] for frame in frames)
    print(f"{FRAMES} frames, {edges / FRAMES:.0f} edges each, batches of {BATCH}, one thread, CPU time")
    rows = {
        "stock": build(),
        "contraction, padded": contract_centres(build()),
        "operators": with_operators(build()),
    }
    base: list[float] = []
    for name, model in rows.items():
        cost = [seconds(model, batches, train) for train in (True, False)]
        base = base or cost
        print(
            f"{name:20s} train {1e3 * cost[0] / FRAMES:7.2f} ms/frame ({base[0] / cost[0]:4.2f} x)"
            f"   energy and forces {1e6 * cost[1] / edges:6.2f} us/edge ({base[1] / cost[1]:4.2f} x)"
        )


if __name__ == "__main__":
    main()
