#!/usr/bin/env bash
# LAMMPS with KOKKOS for the device of this machine, the plugin for it, and the tests of its kernels, from what pack.sh collected:
#   bash scripts/gpu/build.sh [OUT]         what is compiled already is kept
# No torch is needed; where the plugin's CMake finds one, it is the Python's own (Torch_ROOT=DIR: another, Torch_ROOT=none: without).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source scripts/gpu/environment.sh
[[ -s $pack/lammps.tar.xz ]] || fail "there is no $pack/lammps.tar.xz. Type, where the network is: bash scripts/gpu/pack.sh"
source=$work/source
if [[ ! $source/unpacked -nt $pack/lammps.tar.xz ]]; then
  rm -rf "$source"
  mkdir -p "$source"
  tar -xJf "$pack/lammps.tar.xz" -C "$source"
  touch "$source/unpacked"
fi
if [[ $backend != openmp && ! -f $source/lib/kokkos/CMakeLists.txt ]]; then
  [[ -s $pack/kokkos.tar.gz ]] || fail "there is no $pack/kokkos.tar.gz. Type, where the network is: bash scripts/gpu/pack.sh"
  mkdir -p "$source/lib/kokkos"
  tar -xzf "$pack/kokkos.tar.gz" -C "$source/lib/kokkos" --strip-components=1
fi

generator=()
"${inside[@]}" sh -c 'command -v ninja' >/dev/null && generator=(-G Ninja)
options=(-DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=20 -DBUILD_MPI=off -DPKG_KOKKOS=on -DPKG_PLUGIN=on
  -DKOKKOS_PREC="${E3D_GPU_PRECISION:-double}"
  -DWITH_GZIP=off -DWITH_JPEG=off -DWITH_PNG=off -DWITH_FFMPEG=off -DWITH_CURL=off)
torch=()
case $backend in
  cuda)
    options+=(-DCMAKE_CXX_COMPILER="$source/lib/kokkos/bin/nvcc_wrapper" -DCMAKE_CXX_FLAGS_RELEASE=-O2 -DBUILD_OMP=off
      -DKokkos_ENABLE_CUDA=on -DKokkos_ENABLE_SERIAL=on "-DKokkos_ARCH_${E3D_GPU_ARCH:-HOPPER90}=on")
    ;;
  hip)
    options+=(-DCMAKE_CXX_COMPILER=hipcc -DCMAKE_CXX_FLAGS_RELEASE=-O2 -DBUILD_OMP=off
      -DKokkos_ENABLE_HIP=on -DKokkos_ENABLE_SERIAL=on "-DKokkos_ARCH_${E3D_GPU_ARCH:-AMD_GFX90A}=on")
    ;;
  openmp)
    options+=(-DCMAKE_CXX_FLAGS_RELEASE=-O1 -DBUILD_OMP=on -DEXTERNAL_KOKKOS=on)
    torch=(-DTorch_ROOT="$(echo "$PWD"/.venv/lib/python3*/site-packages/torch)")
    ;;
esac
[[ -z ${Torch_ROOT:-} ]] || torch=(-DTorch_ROOT="$Torch_ROOT")

# step NAME COMMAND...: its output goes to OUT/NAME.log, whose end is shown where it fails
step() {
  local name=$1 started=$SECONDS
  shift
  "${inside[@]}" "$@" >>"$out/$name.log" 2>&1 || {
    grep -E 'error|Error' "$out/$name.log" | head -n 20 >&2 || true
    tail -n 5 "$out/$name.log" >&2
    fail "$name failed (see above, and $out/$name.log)"
  }
  say "$name: $((SECONDS - started)) s"
}
step lammps cmake "${generator[@]}" -S "$source/cmake" -B "$work/lammps" "${options[@]}"
step lammps cmake --build "$work/lammps" -j "$jobs" --target lmp
step plugin cmake "${generator[@]}" -S "$PWD" -B "$work/plugin" -DLAMMPS_ROOT="$source" -DLAMMPS_BUILD="$work/lammps" \
  -DE3D_MPI=stubs -DE3D_TESTS=ON "${torch[@]}"
step plugin cmake --build "$work/plugin" -j "$jobs" --target e3dplugin e3d_kk e3d_kokkos_tests
"${lmp[@]}" -h | grep -E '^(LAMMPS|KOKKOS|Kokkos|Large)' | tee "$out/lammps.txt"
say "ready: $work/lammps/lmp, plugin in $work/plugin/lib"
