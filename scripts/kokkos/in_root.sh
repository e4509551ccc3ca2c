#!/usr/bin/env bash
# Runs a command where the Kokkos LAMMPS of scripts/kokkos/build.sh lives, in this folder:
#   bash scripts/kokkos/in_root.sh lmp -k on t 2 -sf kk -in in.liquid
#   bash scripts/kokkos/in_root.sh mpirun --oversubscribe -np 2 lmp -k on t 1 -sf kk -in in.liquid
# There LAMMPS's source is /e3d/lammps and its build folder /e3d/build.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
[[ -f $lammps_folder/versions ]] || fail "there is no Kokkos LAMMPS in $cache. Type: bash scripts/kokkos/build.sh"
(($#)) || fail "no command given. Type: bash scripts/kokkos/in_root.sh lmp -h"
entry "$root_folder" "$lammps_folder"
exec "${enter[@]}" "$@"
