#!/usr/bin/env bash
# Compiles the /kk styles for GPUs, where a compiler for them is at hand; nothing is linked or run:
#   bash scripts/kokkos/compile_check.sh [cuda] [hip] [precision]      default: cuda and hip
# cuda: nvcc for sm_90. hip: hipcc for gfx90a, that of scripts/kokkos/hip.sh or one that takes this Kokkos. Headers of Kokkos and LAMMPS are those of scripts/kokkos/build.sh, with a
# configuration of Kokkos for that GPU in place of theirs. precision: for a LAMMPS with KOKKOS_PREC=mixed and single, by the
# compiler of the root folder. Objects go to build/kokkos-check; a second call compiles only
# what has changed. JOBS=2 files are compiled at a time.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
cd "$repository"
bash scripts/kokkos/build.sh
headers=$root_folder/usr/include/kokkos
lammps=$lammps_folder/lammps/src
jobs=${JOBS:-$(nproc)}

# configuration BACKEND Backend FOLDER DEFINITIONS...: Kokkos's generated headers, for this backend beside OpenMP
configuration() {
  local upper=$1 mixed=$2 folder=$3 line kind file
  shift 3
  mkdir -p "$folder/desul/atomics"
  for file in KokkosCore_config.h desul/atomics/Config.hpp; do
    cp "$headers/$file" "$folder/$file"
    for line in "$@"; do sed -i "s|^/\* #undef $line \*/|#define $line|" "$folder/$file"; done
  done
  for kind in Fwd Declare Setup; do
    file=KokkosCore_Config_${kind}Backend.hpp
    cp "$headers/$file" "$folder/$file"
    line=$(cd "$headers" && compgen -G "*/Kokkos_${kind}_@($upper|$mixed).hpp" || true)
    [[ -z $line ]] || sed -i "s|^#endif|#include <$line>\n#endif|" "$folder/$file"
  done
}

# compile NAME COMMAND...: every file of lammps_plugin/kokkos whose object is older than what it is made of
compile() {
  local name=$1 folder=build/kokkos-check/$1 sources=(lammps_plugin/kokkos/*.cpp) todo=() source object newest
  shift
  mkdir -p "$folder"
  newest=$(find lammps_plugin "$folder/configuration" "${BASH_SOURCE[0]}" -type f -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
  for source in "${sources[@]}"; do
    object=$folder/$(basename "$source" .cpp).o
    [[ $object -nt $newest ]] || todo+=("$source")
  done
  say "$name: ${#todo[@]} of ${#sources[@]} files to compile"
  ((${#todo[@]} == 0)) && return
  # shellcheck disable=SC2016
  printf '%s\n' "${todo[@]}" | xargs -P "$jobs" -I SOURCE bash -c '
    source=$1 folder=$2
    shift 2
    started=$SECONDS
    "$@" -c "$source" -o "$folder/$(basename "$source" .cpp).o" && echo "kokkos:   $source $((SECONDS - started)) s"
  ' compile SOURCE "$folder" "$@" || fail "$name: $* does not compile the /kk styles (see above)"
}

shopt -s extglob
common=(-std=c++20 -O2 -DLMP_KOKKOS -DLMP_KOKKOS_DOUBLE_DOUBLE -DLMP_KOKKOS_LAYOUT_LEGACY -DLAMMPS_SMALLBIG -fopenmp
  -I. -Ilammps_plugin -Ilammps_plugin/kokkos)
outside=(-isystem "$headers" -isystem "$lammps" -isystem "$lammps/KOKKOS" -isystem "$lammps/STUBS")
inside=(-isystem /usr/include/kokkos -isystem /e3d/lammps/src -isystem /e3d/lammps/src/KOKKOS -isystem /e3d/lammps/src/STUBS)

(($#)) || set -- cuda hip
for gpu in "$@"; do
  folder=build/kokkos-check/$gpu/configuration
  case $gpu in
    cuda)
      compiler=$(command -v nvcc || true)
      [[ -n $compiler ]] || { say "cuda: skipped, there is no nvcc here"; continue; }
      configuration CUDA Cuda "$folder" KOKKOS_ENABLE_CUDA KOKKOS_ARCH_HOPPER KOKKOS_ARCH_HOPPER90 \
        DESUL_ATOMICS_ENABLE_CUDA
      # not optimized: code for the device in a third of the time, from the same templates
      compile cuda "$compiler" -x cu -arch=sm_90 -Xcicc -O1 -Xptxas -O0 --extended-lambda --expt-relaxed-constexpr -Xcudafe --diag_suppress=20208 \
        -Xcompiler -fopenmp,-Wall -isystem "$folder" "${outside[@]}" "${common[@]/-fopenmp/-DE3D_COMPILE_CHECK}" -O0
      ;;
    hip)
      compiler=(hipcc) include=("${outside[@]}")
      [[ ! -f $hip_layer/ready ]] || compiler=(bash scripts/kokkos/hip.sh hipcc) include=("${inside[@]}")
      command -v "${compiler[0]}" >/dev/null || { say "hip: skipped, there is no hipcc here. To get one type: bash scripts/kokkos/hip.sh"; continue; }
      configuration HIP HIP "$folder" KOKKOS_ENABLE_HIP KOKKOS_ARCH_AMD_GPU KOKKOS_ARCH_AMD_GFX90A KOKKOS_ARCH_VEGA \
        KOKKOS_ARCH_VEGA90A DESUL_ATOMICS_ENABLE_HIP
      compile hip "${compiler[@]}" -x hip --offload-arch=gfx90a -Wall -isystem "$folder" "${include[@]}" "${common[@]}"
      ;;
    precision)
      for setting in SINGLE_DOUBLE SINGLE_SINGLE; do
        mkdir -p "build/kokkos-check/$setting/configuration"
        compile "$setting" bash scripts/kokkos/in_root.sh c++ -Wall "${inside[@]}" "${common[@]/DOUBLE_DOUBLE/$setting}" -O0
      done
      ;;
    *) fail "'$gpu' is neither cuda nor hip nor precision" ;;
  esac
  say "$gpu: the /kk styles compile"
done
