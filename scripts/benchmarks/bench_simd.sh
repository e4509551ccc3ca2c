#!/usr/bin/env bash
# The engine's two inner loops with four SIMD libraries (bench_simd.cpp), for AVX-512 and AVX2, in turns.
#   bash scripts/benchmarks/bench_simd.sh      needs g++ >= 11; Debian: libxsimd-dev libhwy-dev (others are left out)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
avx512="-mavx2 -mfma -mavx512f -mavx512vl -mavx512dq -mavx512bw -mavx512cd -mprefer-vector-width=512 -mbmi -mbmi2 -mpclmul -maes -mf16c"
avx2="-mavx2 -mfma -mbmi -mbmi2 -mpclmul -maes -mf16c"
for set in avx512 avx2; do
  for library in GCC STD XSIMD HIGHWAY; do
    # shellcheck disable=SC2086
    g++ -std=c++17 -O3 -fno-math-errno ${!set} "-DUSE_$library" bench_simd.cpp -o "$folder/$set-$library" 2>"$folder/log" ||
      echo "$set $library: does not compile here ($(grep -m1 -i error "$folder/log"))"
  done
done
for round in 1 2 3; do
  for set in avx512 avx2; do
    for library in GCC STD XSIMD HIGHWAY; do
      [[ -x $folder/$set-$library ]] && echo "$set $("$folder/$set-$library")"
    done
  done
done
