#!/usr/bin/env bash
# The pages of docs/ as a site, with the API reference of the docstrings: build/docs/html/index.html. Needs no network.
# Warnings are errors, and so are links that lead nowhere, on any page, docstrings included.
#   bash scripts/docs.sh [options of sphinx-build]      in the environment of scripts/setup.sh, or any with e3d-lmp[docs]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[[ -x .venv/bin/sphinx-build ]] && PATH=$PWD/.venv/bin:$PATH
command -v sphinx-build >/dev/null || {
  echo "docs: error: no sphinx-build. Type: bash scripts/setup.sh, or pip install 'e3d-lmp[docs]'" >&2
  exit 1
}
export PYTHONNOUSERSITE=1 MPLBACKEND=Agg OMP_NUM_THREADS=1

# Pages of modules that have gone would stay.
rm -rf docs/api build/docs/html
# All warnings are shown before they fail the build (--keep-going is sphinx-build's default).
sphinx-build --quiet --fresh-env --fail-on-warning --builder html --conf-dir docs --doctree-dir build/docs/doctrees \
  "$@" . build/docs/html
python scripts/check_site.py build/docs/html
