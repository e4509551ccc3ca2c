#!/usr/bin/env bash
# The main job, from nothing: set-up, a short run of a molecular liquid on two MPI ranks that dumps its edge energies, and
# their bond table, maps and picture.  bash scripts/demo.sh [FOLDER]   (default out/demo)
# E3D_DEMO_STEPS=N: MD steps instead of those of the input. E3D_BIN=DIR: programs of another environment, and no set-up.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -n ${E3D_BIN:-} ]] || bash scripts/setup.sh demo

unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1 PATH=${E3D_BIN:-$PWD/.venv/bin}:$PATH
out=${1:-out/demo}
mkdir -p "$out"

steps=()
[[ -n ${E3D_DEMO_STEPS:-} ]] && steps=(-v steps "$E3D_DEMO_STEPS")

echo "demo: mpirun -np 2 lmp -in inputs/in.e3d -v out $out/ ${steps[*]}"
start=$SECONDS
mpirun -np 2 lmp -in inputs/in.e3d -v out "$out/" "${steps[@]}" -log "$out/log.lammps"
echo "demo: e3d analyze $out/edges.dump -o $out/ --types C H N O"
e3d analyze "$out/edges.dump" -o "$out/" --types C H N O
echo "demo: done in $((SECONDS - start)) s; wrote"
find "$out" -type f -printf '  %10s bytes  %p\n' | sort -k3
