#!/usr/bin/env bash
# Builds the plugin with the /kk styles for the Kokkos LAMMPS of scripts/kokkos/build.sh, in build/kokkos/lib, and the tests
# of its kernels:
#   bash scripts/kokkos/plugin.sh
#   LAMMPS_PLUGIN_PATH=$PWD/build/kokkos/lib bash scripts/kokkos/in_root.sh lmp -k on t 2 -sf kk -in in.liquid
# libe3d_model.so, which runs .pt2 and .pth models, is that of .venv. JOBS=2 files are compiled at a time.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$repository"
bash scripts/kokkos/build.sh
venv=$(echo .venv/lib/python3*/site-packages)
[[ -f $venv/e3d_lmp/lib/libe3d_model.so ]] || fail "e3d-lmp is not installed in .venv. Type: bash scripts/setup.sh"
lib=build/kokkos/lib

mkdir -p "$lib"
log=$repository/build/kokkos.log
{
  bash scripts/kokkos/in_root.sh cmake -G Ninja -S "$repository" -B "$repository/build/kokkos" \
    -DLAMMPS_ROOT=/e3d/lammps -DLAMMPS_BUILD=/e3d/build -DTorch_ROOT="$repository/$venv/torch" -DE3D_TESTS=ON &&
    bash scripts/kokkos/in_root.sh cmake --build "$repository/build/kokkos" -j "${JOBS:-$(nproc)}" \
      --target e3dplugin e3d_kk e3d_kokkos_tests
} >"$log" 2>&1 || {
  grep -E 'error|Error' "$log" | head -n 20 >&2 || true
  tail -n 5 "$log" >&2
  fail "the plugin does not build for the Kokkos LAMMPS (see above, and $log)"
}
ln -sf "$(realpath "$venv/e3d_lmp/lib/libe3d_model.so")" "$lib/libe3d_model.so"
say "ready: $repository/$lib"
