#!/usr/bin/env bash
# Time of a step, and the largest box, of pair_style e3d/kk with the shipped model in float32.
#   bash scripts/gpu/bench.sh [OUT]        E3D_BENCH_SECONDS=N: at most so long (default 180)
# Rows are written as they come, and those that are there already are not measured again.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/gpu/environment.sh
limited $((${E3D_BENCH_SECONDS:-180} + 30)) python3 scripts/gpu/bench_device.py "$pack/cases" --seconds "${E3D_BENCH_SECONDS:-180}" \
  --work "$work/bench" --output "$out/bench.json" -- "${lmp[@]}" 2>&1 | tee "$out/bench.log"
code=${PIPESTATUS[0]}
say "benchmark ended with $code"
exit "$code"
