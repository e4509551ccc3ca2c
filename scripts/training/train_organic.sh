#!/usr/bin/env bash
# Train `organic`: the weights of `organic-small` once more through the same data, for longer.
#
#   bash scripts/training/train_organic.sh DATA_FOLDER RUN_FOLDER
#
# DATA_FOLDER is RUN_FOLDER/data of train_organic_small.sh. May be started again: training goes on where it stopped.
set -euo pipefail
data=${1:?DATA_FOLDER} run=${2:?RUN_FOLDER}
root=$(cd "$(dirname "$0")/../.." && pwd)
bin=${E3D_BIN:-$root/.venv/bin}

"$bin/e3d" train "$root/scripts/training/organic.yaml" "$data" -o "$run" --name organic \
  --start "$root/inputs/models/organic-small.nequip.zip" --card "$root/scripts/training/organic_card.md"
