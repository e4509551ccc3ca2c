# What the scripts of this folder share: the cache and the way into its root folder. Sourced, never run.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=versions.sh
source "$repository/scripts/kokkos/versions.sh"

say() { printf 'kokkos: %s\n' "$*"; }
fail() {
  printf 'kokkos: error: %s\n' "$*" >&2
  exit 1
}

# The cache lies outside the clone. A key names what a folder was made from, so that a change of versions.sh or build.sh
# never meets an old build:
#   root-KEY       the root folder of Debian's suite: compiler, CMake, Kokkos, Open MPI
#   lammps-KEY     lammps/ the source, build/ its build folder, "versions" what both were made of
#   hip-KEY        a layer over the root folder with hipcc (hip.sh)
#   downloads/     the source tarball;  *.log what the tools said
cache=${E3D_KOKKOS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/e3d-lmp/kokkos}
key_of() { printf '%s\n' "$@" | sha256sum | cut -c1-12; }
recipe=$(sha256sum <"$repository/scripts/kokkos/build.sh")
root_key=$(key_of "$SUITE" "$KOKKOS_VERSION" "${ROOT_PACKAGES[@]}" "$(uname -m)")
lammps_key=$(key_of "$root_key" "$LAMMPS_VERSION" "$LAMMPS_SHA256" "${LAMMPS_FOLDERS[@]}" "${LAMMPS_FLAGS[@]}" "$recipe")
root_folder=$cache/root-$root_key
lammps_folder=$cache/lammps-$lammps_key
hip_layer=$cache/hip-$root_key

# entry ROOT LAMMPS: fills the array "enter" with a command that runs another one inside ROOT, in this folder, as root:
# "${enter[@]}" COMMAND... LAMMPS is seen there as /e3d; the repository, /tmp and this folder have the paths that they have
# outside. The mounts belong to that process alone and vanish with it. Who is not root needs a kernel that lets users make
# name spaces.
entry() {
  enter=(unshare --mount --propagation private)
  ((EUID == 0)) || enter+=(--map-root-user)
  # shellcheck disable=SC2016
  enter+=(bash -euc '
    root=$1 lammps=$2 repository=$3 PATH=$PATH:/usr/sbin:/sbin
    shift 3
    mkdir -p "$root"/{proc,sys,dev,tmp,e3d}
    for folder in /proc /sys /dev; do mount --rbind "$folder" "$root$folder"; done
    mount --bind "$lammps" "$root/e3d"
    for folder in /tmp "$repository" "$PWD"; do
      [[ -d $root$folder ]] || mkdir -p "$root$folder"
      mount --rbind "$folder" "$root$folder"
    done
    exec chroot "$root" /usr/bin/env -u PYTHONHOME -u PYTHONPATH \
      PATH=/e3d/build:/usr/local/bin:/usr/bin:/bin LD_LIBRARY_PATH=/e3d/build LC_ALL=C.UTF-8 HOME=/root \
      OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMP_PROC_BIND="${OMP_PROC_BIND:-false}" \
      /bin/sh -c "cd \"\$1\" && shift && exec \"\$@\"" sh "$PWD" "$@"
  ' enter "$1" "$2" "$repository")
}
