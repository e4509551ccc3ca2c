# Sourced by the scripts beside it, in the root of the repository: where things are.
#   E3D_GPU_PACK    folder of pack.sh          (build/gpu-torch-pack)
#   E3D_GPU_VENV    the environment            (build/gpu-venv)
#   PYTHON          the Python that has torch  (python3)
pack=${E3D_GPU_PACK:-build/gpu-torch-pack}
venv=$(realpath -m "${E3D_GPU_VENV:-build/gpu-venv}")
out=${1:-${OUT:-out/gpu}}
mkdir -p "$out"
out=$(realpath "$out")
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-4} PYTHONNOUSERSITE=1 PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# mpirun as root, and without a queueing system
export HYDRA_LAUNCHER=fork
say() { printf '%s %s: %s\n' "$(date +%H:%M:%S)" "$(basename "$0" .sh)" "$*"; }
fail() {
  say "error: $*" >&2
  exit 1
}
# limited SECONDS COMMAND...: ends it when the time is over; what it wrote stays
limited() { timeout --signal=INT --kill-after=20 "$@"; }
