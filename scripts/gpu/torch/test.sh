#!/usr/bin/env bash
# The C++ unit tests are not run here (they need no GPU); the tests of the pair style on a GPU are, and a few that run anywhere.
#   bash scripts/gpu/torch/test.sh [OUT]        E3D_TEST_SECONDS=N: at most so long (default 200)
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source scripts/gpu/torch/environment.sh
export PATH=$venv/bin:$PATH OMP_NUM_THREADS=1
python -c 'import torch; raise SystemExit(not torch.cuda.is_available())' || say "torch sees no CUDA device: everything will be skipped"
limited "${E3D_TEST_SECONDS:-200}" python -m pytest -q -rs --durations=10 tests/plugin/test_gpu.py 2>&1 |
  tee "$out/test.log"
code=${PIPESTATUS[0]}
say "tests ended with $code"
exit "$code"
