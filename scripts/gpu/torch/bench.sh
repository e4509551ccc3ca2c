#!/usr/bin/env bash
# Time per edge, memory and the largest system of this pair style and of the stock graphs, on one GPU.
#   bash scripts/gpu/torch/bench.sh [OUT] [MODEL.nequip.zip]        E3D_BENCH_SECONDS=N: at most so long (default 420)
# Rows are written as they come, and those that are there already are not measured again.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source scripts/gpu/torch/environment.sh
model=${2:-inputs/models/organic-small.nequip.zip}
export PATH=$venv/bin:$PATH
limited "${E3D_BENCH_SECONDS:-420}" python scripts/benchmarks/bench_pair_gpu.py "$model" --work build/gpu-bench \
  --output "$out/bench.json" 2>&1 | tee "$out/bench.log"
code=${PIPESTATUS[0]}
python scripts/benchmarks/bench_pair_gpu.py --table "$out/bench.json" | tee "$out/bench.md"
say "benchmark ended with $code"
exit "$code"
