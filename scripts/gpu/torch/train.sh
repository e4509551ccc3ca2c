#!/usr/bin/env bash
# Part of a training, which goes on where the part before it stopped.
#   bash scripts/gpu/torch/train.sh OUT NAME DATA MINUTES [options of e3d train]
# NAME: tensor32, tensor64, tensor128 or a configuration; DATA: folder of 'e3d data prepare'. MINUTES is the budget of the whole
# training, which its schedule follows; E3D_TRAIN_SECONDS=N ends this part (default 540). The run is OUT/train-NAME.tar in the end;
# put that file into build/gpu-torch-pack and the next part, on any machine, starts from it.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
source scripts/gpu/torch/environment.sh
[[ $# -ge 4 ]] || fail "give OUT NAME DATA MINUTES, as in: bash $0 out/gpu tensor64 out/data 60"
name=$2 data=$3 minutes=$4
shift 4
run=build/gpu-train/$(basename "$name" .yaml)
archive=train-$(basename "$name" .yaml).tar
export PATH=$venv/bin:$PATH
if [[ ! -d $run && -f $pack/$archive ]]; then
  say "going on from $pack/$archive"
  mkdir -p build/gpu-train && tar -xf "$pack/$archive" -C build/gpu-train
fi
mkdir -p build/gpu-train
limited "${E3D_TRAIN_SECONDS:-540}" e3d train "$name" "$data" -o "$run" --device cuda --minutes "$minutes" "$@" 2>&1 |
  tee "$out/train.log"
code=${PIPESTATUS[0]}
tar -cf "$out/$archive.tmp" -C build/gpu-train "$(basename "$run")" && mv "$out/$archive.tmp" "$out/$archive"
say "training ended with $code (124 or 130: the time of this part was over); the run is in $out/$archive"
exit "$code"
