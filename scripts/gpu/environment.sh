# What the scripts of this folder share. Sourced in the root of the repository, never run.
#   E3D_GPU_BACKEND  cuda (default), hip; openmp: the rehearsal, in the root folder of scripts/kokkos
#   E3D_GPU_ARCH     Kokkos's name of the device (default HOPPER90; hip: AMD_GFX90A)
#   E3D_GPU_PRECISION  of LAMMPS's KOKKOS: double (default), mixed or single
#   E3D_GPU_PACK     folder of pack.sh (build/gpu-pack);  E3D_GPU_WORK: where things are built (build/gpu-BACKEND[-PRECISION])
backend=${E3D_GPU_BACKEND:-cuda}
pack=$PWD/${E3D_GPU_PACK:-build/gpu-pack}
work=$PWD/${E3D_GPU_WORK:-build/gpu-$backend${E3D_GPU_PRECISION:+-$E3D_GPU_PRECISION}}
jobs=${JOBS:-$(getconf _NPROCESSORS_ONLN)}    # nproc obeys OMP_NUM_THREADS
out=${1:-${OUT:-out/gpu}}
mkdir -p "$out" "$work"
out=$(realpath "$out")
say() { printf '%s %s: %s\n' "$(date +%H:%M:%S)" "$(basename "$0" .sh)" "$*"; }
fail() {
  say "error: $*" >&2
  exit 1
}
# limited SECONDS COMMAND...: ends it when the time is over; what it wrote stays
limited() { timeout --signal=INT --kill-after=20 "$@"; }

# Where commands run, and how LAMMPS begins there.
case $backend in
  cuda | hip)
    inside=()
    kokkos_on=(-k on g 1 -sf kk -pk kokkos newton on neigh half)
    ;;
  openmp)
    inside=(bash "$PWD/scripts/kokkos/in_root.sh")
    kokkos_on=(-k on t "${OMP_NUM_THREADS:-1}" -sf kk)
    ;;
  *) fail "E3D_GPU_BACKEND=$backend is neither cuda nor hip nor openmp" ;;
esac
lmp=("${inside[@]}" "$work/lammps/lmp" "${kokkos_on[@]}")
export LAMMPS_PLUGIN_PATH=$work/plugin/lib
