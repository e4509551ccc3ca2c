#!/usr/bin/env bash
# Train `organic-small` from a file in the SPICE layout.
#
#   bash scripts/training/train_organic_small.sh DATA.hdf5 RUN_FOLDER [MINUTES]
#
# May be started again: what is done is skipped, and training goes on where it stopped. Everything stays in RUN_FOLDER;
# RUN_FOLDER/organic-small.* are what inputs/models/ holds: package, weights for the native engine, facts and card.
set -euo pipefail
data=${1:?DATA.hdf5} run=${2:?RUN_FOLDER} minutes=${3:-70}
here=$(cd "$(dirname "$0")" && pwd)
bin=${E3D_BIN:-$here/../../.venv/bin}

[[ -f $run/data/manifest.json ]] || "$bin/e3d" data prepare "$here/organic_small_data.yaml" --source "$data" -o "$run/data"
for part in train:5000 test:300; do # pairs of molecules in close contact; needs `pip install tblite`
  [[ -f $run/data/contacts_${part%:*}.json ]] ||
    "$bin/e3d" data contacts "$run/data" --part "${part%:*}" --count "${part#*:}"
done
"$bin/e3d" train "$here/organic_small.yaml" "$run/data" -o "$run" --minutes "$minutes" --name organic-small \
  --card "$here/organic_small_card.md"
