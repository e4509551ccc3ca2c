#!/usr/bin/env bash
# Collects what a machine with a GPU and no network needs beside this repository: sources of LAMMPS without what is not used here,
# Kokkos, models and boxes of atoms to test with. Run it where the network is, after scripts/setup.sh and scripts/kokkos/build.sh:
#   bash scripts/gpu/pack.sh [KOKKOS.tar.gz]
# Without an argument Kokkos comes from its releases, in the version of scripts/kokkos/versions.sh. All of it is some 5 MB.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/../kokkos/common.sh"
cd "$repository"
pack=${E3D_GPU_PACK:-build/gpu-pack}
python=.venv/bin/python
[[ -x $python ]] || fail "there is no .venv. Type: bash scripts/setup.sh"
bash scripts/kokkos/build.sh
mkdir -p "$pack"

say "LAMMPS, without what is not used here"
"$python" scripts/gpu/prune_lammps.py "$lammps_folder/lammps" | tar -C "$lammps_folder/lammps" -cf - -T - | xz -6 -T 0 >"$pack/lammps.tar.xz"
say "models and boxes"
PYTHONPATH=tests/support "$python" scripts/gpu/make_cases.py "$pack/cases"

kokkos=$pack/kokkos.tar.gz
if (($#)); then
  cp "$1" "$kokkos"
elif [[ ! -s $kokkos ]]; then
  url=https://github.com/kokkos/kokkos/releases/download/$KOKKOS_VERSION/kokkos-$KOKKOS_VERSION.tar.gz
  say "Kokkos $KOKKOS_VERSION"
  curl --fail --silent --show-error --location --max-time 120 --output "$kokkos.part" "$url" && mv "$kokkos.part" "$kokkos" ||
    say "no Kokkos: $url did not arrive. For a GPU type: bash $0 /path/to/kokkos-$KOKKOS_VERSION.tar.gz (a rehearsal needs none)"
fi
du -ah --max-depth=1 "$pack" | sort -k2 | sed 's/^/pack: /'
[[ $(du -sm "$pack" | cut -f1) -lt 32 ]] || fail "more than 32 MiB"
