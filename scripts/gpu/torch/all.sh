#!/usr/bin/env bash
# Everything that is to be done where a GPU is lent for a short time:
#   bash scripts/gpu/torch/all.sh [OUT] [PARTS]        OUT: folder of the results (default $OUT or out/gpu)
# PARTS: build test bench train, in this order (default: build test bench). Each has its own time limit, a part that fails does not
# stop the next one, and a part that is done (build/gpu-PART.done; build looks by itself) is not done again. Under a limit of ten minutes for a command, one
# call for "build test", one for "bench" and one for "train" fit. For "train": E3D_TRAIN="tensor64 DATA 60".
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
out=${1:-${OUT:-out/gpu}}
shift || true
parts=${*:-build test bench}
mkdir -p "$out" build
failed=0
for part in $parts; do
  [[ $part != build && -f build/gpu-$part.done ]] && continue    # build.sh itself skips what is done
  start=$SECONDS
  case $part in
    build) timeout "${E3D_BUILD_SECONDS:-300}" bash scripts/gpu/torch/build.sh "$out" ;;
    test | bench) bash "scripts/gpu/torch/$part.sh" "$out" ;;
    train) bash scripts/gpu/torch/train.sh "$out" ${E3D_TRAIN:?give E3D_TRAIN=\"NAME DATA MINUTES\"} ;;
    *) echo "all: there is no part '$part'; parts are build, test, bench and train" >&2 && exit 2 ;;
  esac
  code=$?
  echo "all: $part ended with $code after $((SECONDS - start)) s" | tee -a "$out/all.log"
  if [[ $code == 0 ]]; then
    touch "build/gpu-$part.done"
  else
    failed=1
    [[ $part == build ]] && break
  fi
done
nvidia-smi --query-gpu=name,memory.used,clocks.sm --format=csv 2>/dev/null | tee -a "$out/all.log"
exit $failed
