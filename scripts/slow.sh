#!/usr/bin/env bash
# What is too slow for every change: the tests under ThreadSanitizer, and all of them under AddressSanitizer and
# UndefinedBehaviorSanitizer, fuzzing of the ONNX reader, the kernel of 10,000 MNIST pictures with its eigenvalues, that of a
# residual network with 20 layers, kernels that are larger than the memory they may use, how near wide networks stay to their linearisation and how they come near infinite width, kernel regression
# against scikit-learn, the largest eigenvalues of all of MNIST without K, by the program and in Python, the Python module
# under valgrind, and the benchmarks.
#
#   scripts/slow.sh [tsan] [asan] [fuzz] [mnist] [resnet] [large] [lazy] [infinite] [predict] [top] [python] [bench]
#
# Without arguments all of them.
#
# fuzz runs for FUZZ_SECONDS (default 600); build/fuzz/corpus grows from run to run.
# mnist wants the folder with the four files of MNIST, or one that holds it as `mnist`, in TANGRA_DATA, about 3 GiB of
# memory and 400 MB of disk; resnet wants CIFAR-10's files there in the same way, and 5 GiB of memory; large wants both
# sets and 2 GB of disk; python wants MNIST and what scripts/python.sh --install has built.
set -euo pipefail
start=$PWD
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# A relative TANGRA_DATA was meant from where the script was called.
if [[ -n "${TANGRA_DATA:-}" && "$TANGRA_DATA" != *:* ]]; then
  TANGRA_DATA=$(cd -- "$start" && cd -- "$TANGRA_DATA" && pwd)
  export TANGRA_DATA
fi

jobs=$(nproc)
work=$PWD/build/slow

run_tsan() {
  echo "== ThreadSanitizer"
  cmake --preset tsan --log-level=WARNING
  cmake --build --preset tsan --parallel "$jobs"
  TSAN_OPTIONS="suppressions=$PWD/scripts/tsan-suppressions.txt" \
    ctest --test-dir build/tsan --parallel "$jobs" --output-on-failure --label-exclude slow
}

run_asan() {
  echo "== AddressSanitizer and UndefinedBehaviorSanitizer"
  cmake --preset asan-ubsan --log-level=WARNING
  cmake --build --preset asan-ubsan --parallel "$jobs"
  ctest --test-dir build/asan-ubsan --parallel "$jobs" --output-on-failure --label-exclude slow
}

run_fuzz() {
  echo "== fuzzing the ONNX reader for ${FUZZ_SECONDS:-600} s"
  scripts/install.sh --fuzz
  cmake --preset fuzz --log-level=WARNING
  cmake --build --preset fuzz --parallel "$jobs"
  local corpus=build/fuzz/corpus
  mkdir -p "$corpus"
  build/fuzz/tests/fuzz/fuzz_onnx_seeds "$corpus"
  # What breaks the reader is left in build/fuzz/found-*.
  build/fuzz/tests/fuzz/fuzz_onnx -max_total_time="${FUZZ_SECONDS:-600}" -timeout=20 -rss_limit_mb=2048 \
    -artifact_prefix=build/fuzz/found- -print_final_stats=1 -verbosity=0 "$corpus"
}

run_mnist() {
  echo "== 10,000 pictures of MNIST, 784-60-60-10, one output, then all eigenvalues"
  cmake --preset default --log-level=WARNING
  cmake --build --preset default --parallel "$jobs" --target tangra_cli
  mkdir -p "$work"
  local tangra=build/default/bin/tangra
  "$tangra" kernel 'Chain(Dense(784 => 60, sigmoid), Dense(60 => 60, sigmoid), Dense(60 => 10, sigmoid), softmax)' \
    mnist --n 10000 --reduce output=0 -o "$work/K.npy" --force
  "$tangra" spectrum "$work/K.npy" --values-only --json --progress none >"$work/spectrum.json"
  grep -E '"(verdict|statement|smallest|rounding_bound|total_seconds|peak_bytes)"' "$work/spectrum.json"
  if ! grep --quiet '"negative_beyond_rounding": *0[,}]*$' "$work/spectrum.json"; then
    echo "slow.sh: eigenvalues are negative beyond rounding, see $work/spectrum.json" >&2
    exit 1
  fi
  rm -r "$work"
}

run_resnet() {
  echo "== 100 pictures of CIFAR-10, a residual network with 20 layers, trace over 10 outputs"
  cmake --preset default --log-level=WARNING
  cmake --build --preset default --parallel "$jobs" --target tangra_cli write_networks
  mkdir -p "$work"
  build/default/tests/networks/write_networks "$work"
  build/default/bin/tangra kernel "$work/resnet20.onnx" cifar10 --n 100 --reduce trace -o "$work/K.npy" --force
  rm -r "$work"
}

run_large() {
  echo "== kernels larger than memory: 20 kills, then 20,000 pictures of MNIST within 512 MiB"
  cmake --preset default --log-level=WARNING
  cmake --build --preset default --parallel "$jobs" --target tangra_cli test_cli
  TANGRA_KILLS=20 build/default/tests/cli/test_cli --gtest_filter='Zarr.*'
  mkdir -p "$work"
  local out
  for out in K.zarr K.npy; do
    build/default/bin/tangra kernel \
      'Chain(Dense(784 => 60, sigmoid), Dense(60 => 60, sigmoid), Dense(60 => 10, sigmoid), softmax)' \
      mnist --n 20000 --reduce output=0 --memory 512MiB -o "$work/$out" --force
    python3 - "$work/$out.json" <<'END'
import json, sys
run = json.load(open(sys.argv[1]))
if run["peak_bytes"] > 512 << 20:
    sys.exit(f"slow.sh: {run['peak_bytes']} bytes of memory, of 512 MiB")
END
    rm -r "${work:?}/$out"
  done
  echo "== all of MNIST to a .zarr, after as many bytes of dd"
  dd if=/dev/zero of="$work/zeros" bs=1M count=6926 conv=fsync 2>&1 | tail -1
  rm "$work/zeros"
  build/default/bin/tangra kernel \
    'Chain(Dense(784 => 60, sigmoid), Dense(60 => 60, sigmoid), Dense(60 => 10, sigmoid), softmax)' \
    mnist --reduce output=0 --memory 4GiB -o "$work/K.zarr" --force
  rm -r "$work"
}

# The largest distance from the linearisation, on training samples, over widths 256 to 4,096: the slope of its logarithm
# (mean of three seeds) against that of the width must be -0.4 or steeper.
run_lazy() {
  echo "== the distance of wide networks from their linearisation, ntk parameterisation, gradient descent at rate 0.1"
  cmake --preset default --log-level=WARNING
  cmake --build --preset default --parallel "$jobs" --target tangra_cli
  local tangra=build/default/bin/tangra case function loss width seed distance failed=0
  for case in tanh:mse relu:mse tanh:cross-entropy; do
    function=${case%:*} loss=${case#*:}
    for width in 256 512 1024 2048 4096; do
      for seed in 0 1 2; do
        distance=$("$tangra" linearise "Chain(Dense(64 => $width, $function), Dense($width => 10))" digits digits --n 40 \
          --samples2 1500:1540 --parameterization ntk --seed "$seed" --loss "$loss" --lr 0.1 --steps 400 --json --progress none |
          sed -n 's/^  "largest_distance": \(.*\),$/\1/p')
        echo "$width $distance"
      done
    done | awk -v case="$case" '
      { sum[$1] += log($2) / 3; count[$1]++ }
      END {
        for (width = 256; width <= 4096; width *= 2) {
          if (count[width] != 3) exit 1
          x = log(width); y = sum[width]; n++
          sx += x; sy += y; sxx += x * x; sxy += x * y
          text = text sprintf("  width %5d: %.3g\n", width, exp(y))
        }
        slope = (n * sxy - sx * sy) / (n * sxx - sx * sx)
        printf "%s: slope %.3f\n%s", case, slope, text
        exit !(n == 5 && slope <= -0.4)
      }' || failed=1
  done
  if ((failed)); then
    echo "slow.sh: networks do not come near their linearisation with width as they should" >&2
    exit 1
  fi
}

# The distance of the kernels of networks with one hidden layer from the closed form, over widths 64 to 16,384 with 5 seeds:
# the slope has to be -1/2 within three standard errors.
run_infinite() {
  echo "== how kernels come near infinite width, widths 64 to 16,384"
  cmake --preset default --log-level=WARNING
  cmake --build --preset default --parallel "$jobs" --target tangra_cli
  local function slope failed=0
  for function in relu erf; do
    slope=$(build/default/bin/tangra infinite "Chain(Dense(64 => 64, $function), Dense(64 => 1))" digits --n 100 --parameterization ntk \
      --widths 64,128,256,512,1024,2048,4096,8192,16384 --seeds 8 --json --progress none |
      sed -n '/"slope": {/,/}/s/[^0-9.e+-]*"\(slope\|error\)": \([-0-9.e]*\),\{0,1\}$/\2/p' | tr '\n' ' ')
    awk -v name="$function" -v values="$slope" 'BEGIN {
      if (split(values, v, " ") != 2) exit 1
      printf "%s: slope %.4f +- %.4f\n", name, v[1], v[2]
      exit !(v[1] + 0.5 <= 3 * v[2] && v[1] + 0.5 >= -3 * v[2] && v[2] < 0.1)
    }' || failed=1
  done
  if ((failed)); then
    echo "slow.sh: kernels do not come near the closed form with width as they should" >&2
    exit 1
  fi
}

run_predict() {
  echo "== kernel regression on MNIST, 2,000 pictures, against scikit-learn"
  local python=${PYTHON:-/usr/bin/python3}
  if ! "$python" -c 'import sklearn' 2>/dev/null; then
    echo "skipped: $python has no scikit-learn (apt-get install python3-sklearn)"
    return
  fi
  cmake --preset default --log-level=WARNING
  cmake --build --preset default --parallel "$jobs" --target tangra_cli
  mkdir -p "$work"
  "$python" scripts/predict_check.py build/default/bin/tangra "$work"
  rm -r "$work"
}

run_top() {
  echo "== the 20 largest eigenvalues of 60,000 pictures of MNIST, 784-60-60-10, one output, without K"
  cmake --preset default --log-level=WARNING
  cmake --build --preset default --parallel "$jobs" --target tangra_cli
  build/default/bin/tangra spectrum \
    'Chain(Dense(784 => 60, sigmoid), Dense(60 => 60, sigmoid), Dense(60 => 10, sigmoid), softmax)' \
    mnist --reduce output=0 --top 20 --without-k
}

run_python() {
  echo "== the Python module under valgrind, then the example on eigenvalues with 60,000 pictures of MNIST"
  local python=${PYTHON:-$PWD/build/python/venv/bin/python}
  if ! command -v valgrind >/dev/null; then
    echo "skipped: there is no valgrind (apt-get install valgrind)"
    return
  fi
  if ! PYTHONPATH=$PWD/build/default/python "$python" -c 'import scipy, tangra'; then
    echo "slow.sh: $python cannot import tangra: run scripts/python.sh --install" >&2
    exit 1
  fi
  PYTHONPATH=$PWD/build/default/python PYTHONMALLOC=malloc valgrind --quiet --error-exitcode=1 \
    --suppressions=scripts/valgrind-suppressions.txt "$python" scripts/python_memory.py
  PYTHONPATH=$PWD/build/default/python "$python" examples/eigenvalues_of_digits.py --data mnist --n 60000
}

run_bench() {
  echo "== benchmarks (medians of 5)"
  scripts/install.sh --bench
  cmake --preset bench --log-level=WARNING
  cmake --build --preset bench --parallel "$jobs"
  local program
  while IFS= read -r program; do
    "$program" --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
  done < <(find build/bench/bench -maxdepth 1 -type f -name 'bench_*' -perm -u+x | sort)
}

scripts/install.sh
(($#)) || set -- tsan asan fuzz mnist resnet large lazy infinite predict top python bench
for step in "$@"; do
  case "$step" in
    tsan | asan | fuzz | mnist | resnet | large | lazy | infinite | predict | top | python | bench) "run_$step" ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "slow.sh: there is no step $step (tsan, asan, fuzz, mnist, resnet, large, lazy, infinite, predict, top, python, bench)" >&2
      exit 2
      ;;
  esac
done
