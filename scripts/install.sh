#!/usr/bin/env bash
# Installs with apt what tangra needs and this machine lacks, and says so. Does nothing where all is there.
#
#   scripts/install.sh [--bench] [--tidy] [--fuzz] [--data] [--python] [--torch] [--docs] [--check]
#
#   --bench   also Google Benchmark            (preset bench)
#   --tidy    also clang-tidy                  (preset tidy)
#   --fuzz    also clang with libFuzzer        (preset fuzz)
#   --data    also the pictures of Fashion-MNIST
#   --python  also Python with its headers     (scripts/python.sh)
#   --torch   also PyTorch for the CPU         (scripts/python.sh --torch)
#   --docs    also doxygen                     (scripts/docs.sh)
#   --check   installs nothing: tells what is missing, exit code 1 where something is
#
# TANGRA_SKIP_INSTALL=1 goes on whatever is missing, for machines that have the libraries from elsewhere.
set -euo pipefail

# The packages of Debian 12, each with the reason for it. docs/decisions/dependencies.md says more.
needed=(
  "g++|compiler (C++20)"
  "cmake|build"
  "ninja-build|build"
  "pkg-config|finds libzip"
  "libhwy-dev|SIMD with dispatch at run time"
  "libopenblas-pthread-dev|LAPACK: eigenvalues and solves"
  "zlib1g-dev|.gz files, and the pictures that are built in"
  "libzip-dev|.npz files"
  "nlohmann-json3-dev|JSON output and safetensors headers"
  "libcli11-dev|command line options"
  "libfmt-dev|tables and messages"
  "libonnx-dev|.onnx files"
  "libprotobuf-dev|.onnx files"
  "protobuf-compiler|CMake's check for protobuf"
  "libgtest-dev|tests"
  "libonnx-testdata|tests of ONNX's operators"
)

check_only=no
for argument in "$@"; do
  case "$argument" in
    --bench) needed+=("libbenchmark-dev|benchmarks") ;;
    --tidy) needed+=("clang-tidy-16|static analysis") ;;
    --fuzz) needed+=("clang-16|fuzz targets" "libclang-rt-16-dev|fuzz targets, sanitizers") ;;
    --data) needed+=("dataset-fashion-mnist|70,000 pictures to try the program on") ;;
    --python) needed+=("python3-dev|the Python module" "python3-venv|the environment of its tests") ;;
    --torch) needed+=("python3-torch|tests of from_torch") ;;
    --docs) needed+=("doxygen|the C++ pages of the documentation") ;;
    --check) check_only=yes ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "install.sh: there is no option $argument (see --help)" >&2
      exit 2
      ;;
  esac
done

[[ "${TANGRA_SKIP_INSTALL:-0}" == 1 ]] && exit 0

as_root=()
find_root() {
  ((EUID == 0)) && return
  # With nobody at a terminal sudo must not wait for a password.
  command -v sudo >/dev/null && { [[ -t 0 ]] || sudo --non-interactive true 2>/dev/null; } && as_root=(sudo)
}

apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --quiet --quiet "$@"; }

# Vega, which draws the charts of `tangra report`, as one script: a package of Python carries it, and is needed for nothing
# else. The build takes it up where it is; without it reports have tables alone.
vega=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)/build/vega
fetch_vega() {
  [[ -s "$vega/vega.js" ]] && return
  echo "Taking Vega from the Python package vl-convert-python, for the charts of reports ..."
  local python=/usr/bin/python3
  [[ -x "$python" ]] || python=python3
  mkdir -p "$vega"
  if ! "$python" -c 'import ensurepip' 2>/dev/null && find_root; then
    apt install --yes --no-install-recommends python3-venv >/dev/null 2>&1 || true
  fi
  if "$python" -m venv "$vega/python" >"$vega/log" 2>&1 &&
    "$vega/python/bin/pip" install --quiet --disable-pip-version-check --retries 2 --timeout 20 'vl-convert-python>=1.7,<2' >>"$vega/log" 2>&1 &&
    "$vega/python/bin/python" - >"$vega/vega.js.part" 2>>"$vega/log" <<'END'; then
import vl_convert
print(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
END
    mv "$vega/vega.js.part" "$vega/vega.js"
  else
    echo "install.sh: Vega could not be had (see $vega/log): reports will have tables and no charts." >&2
    echo "It takes python3-venv and a network; nothing else needs it." >&2
  fi
  rm -rf "$vega/python" "$vega/vega.js.part"
}

is_installed() {
  local status
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) || return 1
  [[ "$status" == installed ]]
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
  {
    echo "install.sh: this machine has no apt. tangra needs, under their Debian names:"
    for entry in "${needed[@]}"; do printf '  %-26s %s\n' "${entry%%|*}" "${entry#*|}"; done
    echo "Install them your own way, then run the script again with TANGRA_SKIP_INSTALL=1 in front."
  } >&2
  exit 1
fi

missing=()
for entry in "${needed[@]}"; do
  if ! is_installed "${entry%%|*}"; then
    # One heading, then one line for each package.
    ((${#missing[@]})) || echo "Missing packages:"
    printf '  %-26s %s\n' "${entry%%|*}" "${entry#*|}"
    missing+=("${entry%%|*}")
  fi
done
if [[ "$check_only" == yes ]]; then
  [[ -s "$vega/vega.js" ]] || echo "Vega is missing: reports have tables and no charts (no error)"
  ((${#missing[@]} == 0))
  exit
fi
if ((${#missing[@]} == 0)); then
  fetch_vega
  exit 0
fi

if ! find_root; then
  {
    echo "install.sh: installing them needs the rights of root. Run this as root, then start again:"
    echo "  apt-get update && apt-get install --yes --no-install-recommends ${missing[*]}"
  } >&2
  exit 1
fi

echo "Installing them with apt-get ..."
install=(install --yes --no-install-recommends "${missing[@]}")
# The package lists of a fresh machine are empty or old, those of others may do as they are.
if ! apt "${install[@]}" >/dev/null 2>&1; then
  if ! { apt update && apt "${install[@]}"; } >/dev/null; then
    {
      echo "install.sh: apt-get failed (its own messages stand above). tangra is built and tested on Debian 12;"
      echo "older systems lack some of these packages. What was tried:"
      echo "  apt-get update && apt-get install --yes --no-install-recommends ${missing[*]}"
    } >&2
    exit 1
  fi
fi
echo "Installed: ${missing[*]}"
fetch_vega
