#!/usr/bin/env bash
# Debian's hipcc beside the Kokkos of scripts/kokkos/build.sh, to compile for AMD's GPUs what nothing here can run:
#   bash scripts/kokkos/hip.sh                 fetches it: 80 MB, two minutes
#   bash scripts/kokkos/hip.sh COMMAND...      runs a command where it is; LAMMPS's source is /e3d/lammps there
# It lies in a layer over the root folder, which itself stays as it is. Needs root.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
[[ -f $lammps_folder/versions ]] || fail "there is no Kokkos LAMMPS in $cache. Type: bash scripts/kokkos/build.sh"
[[ -f $hip_layer/ready ]] || (($# == 0)) || fail "there is no hipcc in $cache. Type: bash scripts/kokkos/hip.sh"
mkdir -p "$hip_layer"/{upper,work,changes,root}

# in_layer LOWER UPPER WORK COMMAND...: with these folders one above the other, in a name space of its own
in_layer() {
  # shellcheck disable=SC2016
  unshare --mount --propagation private bash -euc '
    layer=$1 lower=$2 upper=$3 work=$4
    shift 4
    mount -t tmpfs tmpfs "$layer/changes"
    mkdir -p "$upper" "$work"
    mount -t overlay overlay -o "lowerdir=$lower,upperdir=$upper,workdir=$work" "$layer/root"
    mount --bind /etc/apt/apt.conf.d "$layer/root/etc/apt/apt.conf.d"
    exec "$@"
  ' layer "$hip_layer" "$@"
}
entry "$hip_layer/root" "$lammps_folder"

if [[ ! -f $hip_layer/ready ]]; then
  # shellcheck disable=SC2016
  mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sed -n 1p)}
  say "fetching hipcc from $SUITE (80 MB; $cache/hip.log)"
  # shellcheck disable=SC2016
  in_layer "$root_folder" "$hip_layer/upper" "$hip_layer/work" "${enter[@]}" sh -euc '
    echo "deb $1 $2 main" >/etc/apt/sources.list
    shift 2
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    apt-get install -y --no-install-recommends "$@"
    rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*
  ' install "$mirror" "$SUITE" hipcc libamdhip64-dev libomp-dev >"$cache/hip.log" 2>&1 || {
    tail -n 5 "$cache/hip.log" >&2
    fail "hipcc did not arrive (see above, and $cache/hip.log). To try again type: bash $0"
  }
  touch "$hip_layer/ready"
fi
(($#)) || set -- hipcc --version
# What a command changes outside the repository and /tmp is in memory and its own: several run at a time, and two may not share
# folders that are written to.
in_layer "$hip_layer/upper:$root_folder" "$hip_layer/changes/upper" "$hip_layer/changes/work" "${enter[@]}" "$@"
