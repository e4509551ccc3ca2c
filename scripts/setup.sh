#!/usr/bin/env bash
# Makes everything that scripts/demo.sh and scripts/test.sh need, and skips what is done:
#   1. the virtual environment .venv with the packages of constraints.txt
#   2. this package with the compiled LAMMPS plugin, installed in .venv
#   3. the model of the demo, compiled for this machine (inputs/models/organic-small.nequip.pt2)
# Needs python3 >= 3.10 with its venv module, and g++. Another Python: PYTHON=/path/to/python3 bash scripts/setup.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=$PWD/.venv
bin=$venv/bin
say() { printf 'setup: %s\n' "$*"; }
fail() {
  printf 'setup: error: %s\n' "$*" >&2
  exit 1
}
# Packages of the caller's own must not shadow those of .venv.
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1

# One set-up at a time: demo and test may be started together.
mkdir -p build
if command -v flock >/dev/null; then
  exec 9>build/setup.lock
  flock 9
fi

# ---- tools of the system
python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail "no '$python' found. Type: sudo apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  fail "$("$python" --version) is too old, 3.10 or newer is needed. Type: PYTHON=/path/to/python3.10 bash $0"
command -v "${CXX:-g++}" >/dev/null || fail "no C++ compiler '${CXX:-g++}' found. Type: sudo apt-get install g++"

# ---- 1. packages
hash_of() { sha256sum | cut -d' ' -f1; }
# A stamp is a file in .venv that holds the hash of what a step was made from.
done_already() { [[ -f $venv/e3d-$1.stamp && $(<"$venv/e3d-$1.stamp") == "$2" ]]; }
mark_done() { printf '%s\n' "$2" >"$venv/e3d-$1.stamp"; }

if [[ ! -x $bin/python ]]; then
  say "making $venv"
  "$python" -m venv "$venv" ||
    fail "'$python -m venv' failed. Type: sudo apt-get install python3-venv; rm -rf .venv; bash $0"
fi
packages=(torch nequip nequip-allegro lammps mpich mpi4py ase h5py numpy scipy matplotlib
  scikit-build-core cmake ninja pytest ruff mypy clang-format zstandard rdkit ovito selenium parsl
  sphinx myst-parser furo featomic skmatter tblite safetensors)
packages_hash=$({
  cat constraints.txt
  echo "${packages[@]}"
  "$bin/python" --version
} | hash_of)
if ! done_already packages "$packages_hash"; then
  say "installing the packages of constraints.txt (torch is large; some minutes)"
  "$bin/python" -m pip install --quiet --constraint constraints.txt "${packages[@]}" ||
    fail "pip could not install the packages of constraints.txt (see above). Is the network up? Then type: bash $0"
  mark_done packages "$packages_hash"
fi

# ---- 2. this package with the plugin
sources_hash=$({
  find CMakeLists.txt pyproject.toml cmake edge_kernel lammps_plugin python -type f \
    -not -path "*/__pycache__/*" -print0 | sort -z | xargs -0 sha256sum
  echo "$packages_hash"
} | hash_of)
if ! done_already package "$sources_hash" || [[ ! -x $bin/e3d ]]; then
  say "building the plugin and installing e3d-lmp"
  # The stamp goes first: a half-finished install must not pass for the one before.
  rm -f "$venv/e3d-package.stamp"
  PATH=$bin:$PATH "$bin/python" -m pip install --quiet --no-build-isolation --no-deps --force-reinstall . ||
    fail "the build failed (see above). For every detail type: $bin/python -m pip install -v --no-build-isolation --no-deps ."
  mark_done package "$sources_hash"
fi

# ---- 3. the model of the demo for this machine
for package in inputs/models/organic-small.nequip.zip; do # what demo and tests use; e3d export makes others
  compiled=${package%.zip}.pt2
  # A compiled model holds code for this processor and this torch.
  model_hash=$({
    sha256sum "$package" python/e3d_lmp/model/*.py python/e3d_lmp/extension.py
    echo "$packages_hash"
    grep -m1 '^flags' /proc/cpuinfo || uname -a
  } | hash_of)
  name=model-$(basename "$package" .nequip.zip)
  if ! done_already "$name" "$model_hash" || [[ ! -f $compiled ]]; then
    say "compiling $package for this machine (about a minute)"
    # One thread: on a busy machine several would mostly wait for each other, and the compiler takes one anyway.
    OMP_NUM_THREADS=1 "$bin/e3d" export "$package" "$compiled" >build/export.log 2>&1 || {
      tail -n 20 build/export.log >&2
      fail "the model could not be compiled. The whole output is in build/export.log."
    }
    mark_done "$name" "$model_hash"
  fi
done
say "ready: $bin"
