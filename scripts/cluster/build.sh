#!/usr/bin/env bash
# LAMMPS with KOKKOS and this plugin for it, on a machine of one's own account: prints the commands, or runs them.
#   bash scripts/cluster/build.sh --machine frontier --lammps ~/lammps --prefix ~/e3d           prints
#   bash scripts/cluster/build.sh --machine frontier --lammps ~/lammps --prefix ~/e3d --run     runs them, and stops at the first that fails
# --machine: aurora, polaris, frontier, perlmutter, lumi, or cpu (threads); load the site's modules for its compilers, MPI and
# CMake (3.27 or newer) first: they change too often to be written here. --lammps: a source tree, 10 Sep 2025 or newer.
# --torch DIR: libtorch, for .pt2 and .pth models; .safetensors models need none.
# Backends are LAMMPS's own presets, architectures those of the vendors. The /kk styles were compiled for CUDA and HIP
# (docs/gpu.md), never for SYCL; none of these machines was at hand. JOBS=8 files are compiled at a time.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
fail() { echo "build.sh: error: $*" >&2; exit 2; }

machine='' lammps='' prefix='' torch='' run=no
while (($#)); do
  case $1 in
    --machine | --lammps | --prefix | --torch)
      (($# > 1)) || fail "$1 needs a value"
      printf -v "${1#--}" %s "$2"
      shift 2 ;;
    --run) run=yes; shift ;;
    -h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0"; exit 0 ;;
    *) fail "unknown option '$1'; bash scripts/cluster/build.sh --help lists them" ;;
  esac
done

case $machine in
  aurora) preset=kokkos-sycl-intel architecture=INTEL_PVC ;;
  polaris | perlmutter) preset=kokkos-cuda architecture=AMPERE80 ;;
  frontier | lumi) preset=kokkos-hip architecture='' ;;    # the preset is for the MI250X
  cpu) preset=kokkos-openmp architecture=NATIVE ;;
  '') fail "say --machine: aurora, polaris, frontier, perlmutter, lumi or cpu" ;;
  *) fail "no machine '$machine'; expected aurora, polaris, frontier, perlmutter, lumi or cpu" ;;
esac
[[ -n $prefix ]] || fail "say --prefix FOLDER, where it is installed, e.g. --prefix ~/e3d"
[[ -f $lammps/src/lammps.h ]] || fail "--lammps '$lammps': expected a source tree of LAMMPS (src/lammps.h), e.g. git clone https://github.com/lammps/lammps"
[[ -f $lammps/cmake/presets/$preset.cmake ]] || fail "$lammps has no cmake/presets/$preset.cmake: expected LAMMPS 10 Sep 2025 or newer"

jobs=${JOBS:-8}
build=$prefix/build-$machine
step() {
  echo "$ ${*@Q}" | sed "s/'\([A-Za-z0-9_.,:=\/+-]*\)'/\1/g"
  [[ $run == no ]] || "$@" || fail "this command failed: $*"
}

step cmake -S "$lammps/cmake" -B "$build/lammps" -C "$lammps/cmake/presets/$preset.cmake" \
  ${architecture:+"-DKokkos_ARCH_$architecture=ON"} \
  -DPKG_PLUGIN=on -DPKG_EXTRA-FIX=on -DPKG_EXTRA-COMPUTE=on -DBUILD_MPI=on -DCMAKE_BUILD_TYPE=Release "-DCMAKE_INSTALL_PREFIX=$prefix"
step cmake --build "$build/lammps" --parallel "$jobs"
step cmake --install "$build/lammps"
step cmake -S "$here" -B "$build/plugin" "-DLAMMPS_ROOT=$lammps" "-DLAMMPS_BUILD=$build/lammps" ${torch:+"-DTorch_ROOT=$torch"}
step cmake --build "$build/plugin" --parallel "$jobs"
step cmake --install "$build/plugin" --prefix "$prefix"
echo "then: export PATH=$prefix/bin:\$PATH LAMMPS_PLUGIN_PATH=$prefix/lib/e3d-lmp; e3d doctor --lammps $prefix/bin/lmp"
