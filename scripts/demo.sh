#!/usr/bin/env bash
# The main job, from nothing: set-up, a short run of a molecular liquid on two MPI ranks that dumps its edge energies, and
# their bond table, maps and picture.  bash scripts/demo.sh [FOLDER]   (default out/demo)
# E3D_DEMO_STEPS=N: MD steps instead of those of the input.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh

unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1 PATH=$PWD/.venv/bin:$PATH
out=${1:-out/demo}
mkdir -p "$out"

model=inputs/models/organic-small.nequip.pt2
[[ -f $model ]] || model=inputs/models/organic-small.nequip.pth
steps=()
[[ -n ${E3D_DEMO_STEPS:-} ]] && steps=(-v steps "$E3D_DEMO_STEPS")

echo "demo: mpirun -np 2 lmp -in inputs/in.e3d -v model $model -v out $out/ ${steps[*]}"
start=$SECONDS
mpirun -np 2 lmp -in inputs/in.e3d -v model "$model" -v out "$out/" "${steps[@]}" -log "$out/log.lammps"
echo "demo: e3d analyze $out/edges.dump -o $out/ --types C H N O"
e3d analyze "$out/edges.dump" -o "$out/" --types C H N O
echo "demo: done in $((SECONDS - start)) s; wrote"
find "$out" -type f -printf '  %10s bytes  %p\n' | sort -k3
