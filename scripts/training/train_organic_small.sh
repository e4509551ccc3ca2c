#!/usr/bin/env bash
# Train `organic-small` from a file in the SPICE layout: prepare -> contacts -> train -> evaluate -> ship.
#
#
#   bash scripts/training/train_organic_small.sh DATA.hdf5 RUN_FOLDER [MINUTES]
#
# May be started again: what is done is skipped, and training goes on from RUN_FOLDER/last.ckpt.
# One thread by default (OMP_NUM_THREADS). Data and run outputs stay in RUN_FOLDER, outside the repository; the last
# steps write inputs/models/organic-small.* : package, TorchScript model, facts and card.
set -euo pipefail

if [[ $# -lt 2 ]]; then
  sed -n '2,10p' "$0" | sed 's/^# \{0,1\}//' >&2
  exit 2
fi
root="$(cd "$(dirname "$0")/../.." && pwd)"
data="$(realpath "$1")"
mkdir -p "$2"
run="$(realpath "$2")"
minutes="${3:-70}"
python="${PYTHON:-$root/.venv/bin/python}"

export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
export PYTHONPATH="$root/python${PYTHONPATH:+:$PYTHONPATH}"
# Large tensors come and go at every step: let malloc keep their pages instead of returning them to the kernel.
export MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=8589934592 MALLOC_TOP_PAD_=268435456

cd "$run"
if [[ ! -f data/manifest.json ]]; then
  "$python" -m e3d_lmp data prepare "$root/scripts/training/organic_small_data.yaml" --source "$data" -o data
fi
for part in train:5000 test:300; do # pairs of molecules in close contact; needs `pip install tblite`
  if [[ ! -f data/contacts_${part%:*}.json ]]; then
    "$python" -m e3d_lmp.data.contacts data --part "${part%:*}" --count "${part#*:}"
  fi
done
neighbours="$("$python" -c 'import json; print(json.load(open("data/manifest.json"))["avg_num_neighbors"])')"

if [[ ! -f done ]]; then
  resume=()
  if [[ -f last.ckpt ]]; then
    cp last.ckpt resume.ckpt
    resume=("++ckpt_path=$run/resume.ckpt")
  fi
  "$python" -m e3d_lmp.training.launch -cp "$root/scripts/training" -cn organic_small \
    hydra.run.dir=hydra folder=. "minutes=$minutes" "avg_num_neighbors=$neighbours" "${resume[@]}"
  touch done
fi

"$python" -m e3d_lmp.training.evaluate last.ckpt data test.json
"$python" -m e3d_lmp.training.ship last.ckpt "$root/inputs/models/organic-small.nequip.zip"
models="$root/inputs/models"
"$python" -m e3d_lmp export "$models/organic-small.nequip.zip" "$models/organic-small.nequip.pth"
"$python" -m e3d_lmp.training.card "$models/organic-small.json" \
  "$root/scripts/training/organic_small_card.md" "$models/organic-small.md"
