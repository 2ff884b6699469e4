#!/usr/bin/env bash
# Installs what is missing, builds tangra and runs its tests: the optimised build with all tests, then a build with
# AddressSanitizer and UndefinedBehaviorSanitizer with those of the rooms that handle memory and foreign files.
#
#   scripts/test.sh [--quick] [--python] [--jobs N]
#
#   --quick    the optimised build alone
#   --python   also the Python module (which takes numpy, scipy, pytest and nanobind by pip)
#   --jobs N   as many compilers and tests at a time (default: one for each core)
#
# With CI=true warnings are errors. What takes longer (all tests under sanitizers, large runs, benchmarks) is scripts/slow.sh;
# Python with scikit-learn and the wheel is scripts/python.sh --install --wheel.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

quick=no
python=no
jobs=$(nproc)
while (($#)); do
  case "$1" in
    --quick) quick=yes ;;
    --python) python=yes ;;
    --jobs)
      shift
      jobs=${1:?test.sh: --jobs takes a number}
      ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "test.sh: there is no option $1 (see --help)" >&2
      exit 2
      ;;
  esac
  shift
done

strict=()
default=default
if [[ "${CI:-}" == true ]]; then
  strict=(-DTANGRA_WARNINGS_AS_ERRORS=ON)
  default=ci # builds in the folder of `default`
fi

summaries=()

# build_and_test PRESET FOLDER [--target TARGET ... --] [ctest arguments]
build_and_test() {
  local preset=$1 folder=$2
  shift 2
  local targets=()
  if [[ "${1:-}" == --target ]]; then
    while [[ "$1" != -- ]]; do
      targets+=("$1")
      shift
    done
    shift
  fi
  echo
  echo "== $preset: configure and build"
  cmake --preset "$preset" "${strict[@]}" --log-level=WARNING
  cmake --build --preset "$preset" --parallel "$jobs" "${targets[@]}"
  echo
  echo "== $preset: test"
  ctest --test-dir "$folder" --parallel "$jobs" --output-on-failure "$@" | tee "$folder/ctest-output.txt"
  summaries+=("$preset: $(grep 'tests passed' "$folder/ctest-output.txt")")
}

scripts/install.sh
# The second target compiles every public header alone; the test that asks for it finds it done.
build_and_test "$default" build/default --target all all_verify_interface_header_sets --
if [[ "$python" == yes ]]; then
  echo
  echo "== Python: build and test"
  status=0
  scripts/python.sh --quick --jobs "$jobs" | tee build/default/pytest-output.txt || status=$?
  case $status in
    0) summaries+=("python: $(tail -1 build/default/pytest-output.txt)") ;;
    77) summaries+=("python: not tested, its packages could not be had") ;;
    *) exit "$status" ;;
  esac
fi
if [[ "$quick" == no ]]; then
  rooms=(base formats data linalg ops load factors kernel properties)
  build_and_test asan-ubsan build/asan-ubsan --target "${rooms[@]/#/test_}" -- --label-exclude slow \
    --tests-regex "^($(IFS='|'; echo "${rooms[*]}"))[.]"
fi

echo
printf '%s\n' "${summaries[@]}"
