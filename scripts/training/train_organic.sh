#!/usr/bin/env bash
# Train `organic`: the weights of an earlier model once more, through all data of `organic_data.yaml`.
#
#   pip install pytorch_optimizer
#   bash scripts/training/train_organic.sh DATA.hdf5 RUN_FOLDER [START.nequip.zip]
#
# DATA.hdf5 is what train_organic_small.sh reads. START is inputs/models/organic.nequip.zip by default, so that the shipped
# model is trained further. It began itself with an earlier state of this file, which its history has (start_sha256 in
# organic.json).
# May be started again: what is done is skipped, and training goes on where it stopped.
set -euo pipefail
data=${1:?DATA.hdf5} run=${2:?RUN_FOLDER}
root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/scripts/training
start=${3:-$root/inputs/models/organic.nequip.zip}
bin=${E3D_BIN:-$root/.venv/bin}

[[ -f $run/data/manifest.json ]] || "$bin/e3d" data prepare "$here/organic_data.yaml" \
  --source "$data" -o "$run/data"
"$bin/e3d" train "$here/organic.yaml" "$run/data" -o "$run" --name organic --start "$start" \
  --card "$here/organic_card.md"
