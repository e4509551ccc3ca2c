#!/usr/bin/env bash
# The engine for aarch64 (NEON), cross-compiled, and its C++ unit tests under qemu's user emulation.
#   bash scripts/check_neon.sh [FOLDER]      Debian: apt-get install g++-aarch64-linux-gnu qemu-user
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${1:-build/neon}
compiler=${CXX_AARCH64:-aarch64-linux-gnu-g++}
for program in "$compiler" qemu-aarch64; do
  command -v "$program" >/dev/null || {
    echo "check_neon: error: no $program; type 'sudo apt-get install g++-aarch64-linux-gnu qemu-user'" >&2
    exit 1
  }
done
mkdir -p "$out"
flags="-std=c++17 -Wall -Wextra -Iengine -Iengine/include -isystem third_party"

make=$out/Makefile
{
  printf 'all:\n'
  objects=
  for source in engine/*.cpp; do
    object=$out/$(basename "$source" .cpp).o
    objects+=" $object"
    printf '%s: %s $(wildcard engine/*.h engine/kernels/*.h)\n\t%s %s -O2 -DE3D_ENGINE_HAS_neon -c %s -o %s\n' \
      "$object" "$source" "$compiler" "$flags" "$source" "$object"
  done
  for set in baseline neon; do
    object=$out/kernel_$set.o
    objects+=" $object"
    printf '%s: engine/kernels/kernel.cpp $(wildcard engine/kernels/*.h)\n\t%s %s -Iengine/kernels -O3 -ffp-contract=off -fno-math-errno -DE3D_ISA=%s -c $< -o %s\n' \
      "$object" "$compiler" "$flags" "$set" "$object"
  done
  for test in tests/cpp/engine/test_*.cpp; do
    program=$out/$(basename "$test" .cpp)
    printf 'all: %s\n%s: %s%s\n\t%s %s -Itests/cpp -Itests/cpp/engine -O1 -static $^ -lpthread -o %s\n' \
      "$program" "$program" "$test" "$objects" "$compiler" "$flags" "$program"
  done
} >"$make"
make -j"${JOBS:-2}" -f "$make"

failed=0
for test in tests/cpp/engine/test_*.cpp; do
  name=$(basename "$test" .cpp)
  if (cd "$out" && qemu-aarch64 "./$name"); then echo "$name passed"; else echo "$name FAILED"; failed=1; fi
done
exit $failed
