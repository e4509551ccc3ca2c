#!/usr/bin/env bash
# pair_style e3d/kk on a GPU that is lent for a short time: LAMMPS with KOKKOS and the plugin are built, tested, measured.
#   bash scripts/gpu/pack.sh                                  where the network is: build/gpu-pack
#   bash scripts/gpu/all.sh [OUT] [PARTS]                     where the GPU is; OUT: folder of the results (default $OUT or out/gpu)
#   E3D_GPU_BACKEND=openmp bash scripts/gpu/all.sh            a rehearsal on threads of a CPU, in the root folder of scripts/kokkos
# PARTS: build test bench, in this order. Each has a time limit of its own, a part that fails does not stop the next one (without
# build there is nothing to run), and a part that is done is not done again. No network, torch or LAMMPS is needed there, but
# nvcc or hipcc, g++, CMake 3.27, Python with numpy. scripts/gpu/torch has the same for models that run by torch.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=${1:-${OUT:-out/gpu}}
shift || true
parts=${*:-build test bench}
source scripts/gpu/environment.sh "$out"
done_here=$work
failed=0
for part in $parts; do
  [[ $part != build && -f $done_here/$part.done ]] && continue    # build.sh itself skips what is done
  start=$SECONDS
  case $part in
    build) timeout "${E3D_BUILD_SECONDS:-330}" bash scripts/gpu/build.sh "$out" ;;
    test | bench) bash "scripts/gpu/$part.sh" "$out" ;;
    *) echo "all: there is no part '$part'; parts are build, test and bench" >&2 && exit 2 ;;
  esac
  code=$?
  echo "all: $part ended with $code after $((SECONDS - start)) s" | tee -a "$out/all.log"
  if [[ $code == 0 ]]; then
    touch "$done_here/$part.done"
  else
    failed=1
    [[ $part == build ]] && break
  fi
done
nvidia-smi --query-gpu=name,memory.used,clocks.sm --format=csv 2>/dev/null | tee -a "$out/all.log"
exit $failed
