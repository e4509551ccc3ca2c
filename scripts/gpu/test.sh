#!/usr/bin/env bash
# The device against the host engine: the kernels by themselves (ctest), then whole runs of LAMMPS on the cases of pack.sh.
#   bash scripts/gpu/test.sh [OUT]        E3D_TEST_SECONDS=N: at most so long (default 150)
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/gpu/environment.sh
failed=0
"${inside[@]}" ctest --test-dir "$work/plugin" -R '^kokkos_' --no-tests=error --output-on-failure 2>&1 | tee "$out/kernels.log" ||
  failed=1
tolerance=()    # positions in float32
[[ ${E3D_GPU_PRECISION:-double} == double ]] || tolerance=(--tolerance 1e-4)
limited "${E3D_TEST_SECONDS:-150}" python3 scripts/gpu/check_device.py "$pack/cases" --work "$work/check" \
  --output "$out/check.json" "${tolerance[@]}" -- "${lmp[@]}" 2>&1 | tee "$out/check.log" || failed=1
say "tests ended with $failed"
exit $failed
