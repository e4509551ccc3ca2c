#!/usr/bin/env bash
# Every test, after the set-up: style, types, the C++ unit tests (ctest), the documentation, the wheel and the Python tests (pytest).
#   bash scripts/test.sh [arguments of pytest, such as -k maps; -n 0: one file of tests at a time, not two]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh

unset PYTHONPATH PYTHONHOME
export PYTHONNOUSERSITE=1 PATH=$PWD/.venv/bin:$PATH MPLBACKEND=Agg
# Two ranks of a test share two cores: one thread each, unless the caller says otherwise.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}

failed=0
echo "test: ruff"
ruff check python tests scripts docs || failed=1
ruff format --check --quiet python tests scripts docs || {
  echo "test: error: type: .venv/bin/ruff format python tests scripts docs" >&2
  failed=1
}
echo "test: clang-format"
mapfile -d '' cpp_files < <(find lammps_plugin edge_kernel engine tests/cpp \( -name '*.cpp' -o -name '*.h' \) -print0)
clang-format --dry-run -Werror "${cpp_files[@]}" || {
  echo "test: error: give these files to: .venv/bin/clang-format -i FILE..." >&2
  failed=1
}
echo "test: mypy"
mypy || failed=1

# The C++ unit tests: compiled as the libraries are, then with sanitizers, which see what is read or written beyond its end.
unit_tests() { # folder of the build, then options of cmake
  local build=build/$1
  cmake -G Ninja -S . -B "$build" -DE3D_TESTS=ON -DPython_EXECUTABLE="$PWD/.venv/bin/python" "${@:2}" >"$build.log"
  cmake --build "$build" --target e3d_unit_tests >>"$build.log" || {
    tail -n 40 "$build.log" >&2
    echo "test: error: the C++ tests do not build; the whole output is in $build.log" >&2
    exit 1
  }
  ctest --test-dir "$build" --output-on-failure --no-tests=error || failed=1
}
echo "test: C++ unit tests"
unit_tests ctest
echo "test: C++ unit tests with sanitizers"
unit_tests sanitized -DE3D_SANITIZE=address,undefined

echo "test: docs"
bash scripts/docs.sh || failed=1

echo "test: wheel"
bash scripts/wheel.sh check || failed=1

# pytest comes last: its summary is the last line.
echo "test: pytest"
if ((failed)); then
  trap 'echo "test: error: ruff, clang-format, mypy, ctest, the documentation or the wheel failed before pytest (see above)" >&2; exit 1' EXIT
fi
python -m pytest -n 2 --dist loadfile "$@"
