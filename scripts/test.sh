#!/usr/bin/env bash
# Installs what is missing, builds tangra and runs its tests: the optimised build with all tests, then a build with
# AddressSanitizer and UndefinedBehaviorSanitizer with all but the slow ones.
#
#   scripts/test.sh [--quick] [--jobs N]
#
#   --quick    the optimised build alone
#   --jobs N   as many compilers and tests at a time (default: one for each core)
#
# With CI=true warnings are errors. What takes longer (ThreadSanitizer, large runs, benchmarks) is scripts/slow.sh.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

quick=no
jobs=$(nproc)
while (($#)); do
  case "$1" in
    --quick) quick=yes ;;
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
if [[ "$quick" == no ]]; then
  build_and_test asan-ubsan build/asan-ubsan --label-exclude slow
fi

echo
printf '%s\n' "${summaries[@]}"
