#!/usr/bin/env bash
# Builds the Python module and runs its tests.
#
#   scripts/python.sh [--install | --quick | --torch] [--wheel] [--jobs N] [-- arguments for pytest]
#
#   --install  makes build/python/venv and installs there what the tests need (numpy, nanobind, pytest, scipy, scikit-learn, ...).
#              Without it, PYTHON (default: that environment's python, else python3) must have them.
#   --quick    as --install, but numpy, nanobind, pytest and scipy alone: tests that need more are skipped and say so;
#              without the tests marked slow
#   --torch    as --quick, in build/python/debian, an environment of Debian's python3 that sees its PyTorch (scripts/install.sh --torch)
#   --wheel    also makes a source archive, builds the wheel from it, installs that in an environment of its own and
#              computes a kernel there (slow: the library is compiled once more)
#   --jobs N   as many compilers at a time (default: one for each core)
#
# The module is built in build/default, from the library that the C++ tests use. Tests on PyTorch run where PYTHON has torch
# (from 2.5 on with onnxscript), those with JAX where it has jax, and are skipped with a message elsewhere. Exit code 77: pip could not bring the packages.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

packages=()
chosen=()
venv=build/python/venv
base=python3
system=()
wheel=no
jobs=$(nproc)
while (($#)); do
  case "$1" in
    --install) packages=(nanobind numpy pytest scipy scikit-learn zarr mypy matplotlib tqdm) ;;
    --quick)
      packages=(nanobind numpy pytest scipy)
      chosen=(-m "not slow")
      ;;
    --torch)
      packages=(nanobind "numpy<2" pytest scipy) # its PyTorch knows no newer NumPy
      chosen=(-m "not slow")
      venv=build/python/debian
      base=/usr/bin/python3
      system=(--system-site-packages)
      ;;
    --wheel) wheel=yes ;;
    --jobs)
      shift
      jobs=${1:?python.sh: --jobs takes a number}
      ;;
    --)
      shift
      break
      ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "python.sh: there is no option $1 (see --help)" >&2
      exit 2
      ;;
  esac
  shift
done

if ((${#packages[@]})); then
  ((${#system[@]})) && scripts/install.sh --python --torch
  # A Python without its headers or venv is Debian's, in parts.
  "$base" -c 'import ensurepip, os, sysconfig, venv; os.stat(os.path.join(sysconfig.get_path("include"), "Python.h"))' 2>/dev/null ||
    scripts/install.sh --python
  [[ -x "$venv/bin/python" ]] || "$base" -m venv "${system[@]}" "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 2 --timeout 20 "${packages[@]}" || {
    echo "python.sh: pip could not bring ${packages[*]}" >&2
    exit 77
  }
fi
if [[ -z "${PYTHON:-}" ]]; then
  PYTHON=python3
  [[ -x "$venv/bin/python" ]] && PYTHON=$PWD/$venv/bin/python
fi
"$PYTHON" -c 'import nanobind, numpy, pytest' || {
  echo "python.sh: $PYTHON lacks what the build needs: run scripts/python.sh --install" >&2
  exit 1
}

preset=default
[[ "${CI:-}" == true ]] && preset=ci # builds in the folder of `default`
cmake --preset "$preset" -DTANGRA_BUILD_PYTHON=ON -DPython_EXECUTABLE="$(command -v "$PYTHON")" --log-level=WARNING
cmake --build build/default --parallel "$jobs" --target tangra_python tangra_cli
TANGRA_PROGRAM=$PWD/build/default/bin/tangra PYTHONPATH=$PWD/build/default/python "$PYTHON" -m pytest "${chosen[@]}" "$@"

if [[ "$wheel" == yes ]]; then
  rm -rf build/python/wheel build/python/clean build/python/tools
  # What a stranger does: nothing is taken from this folder but the archive.
  python3 -m venv build/python/tools
  build/python/tools/bin/pip install --quiet --disable-pip-version-check build
  build/python/tools/bin/python -m build --sdist --outdir build/python/wheel .
  build/python/tools/bin/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/python/wheel \
    build/python/wheel/tangra-*.tar.gz
  # The package with its stubs and the extension module, and nothing else.
  python3 - build/python/wheel/tangra-*.whl <<'END'
import pathlib, sys, zipfile

held = {name for name in zipfile.ZipFile(sys.argv[1]).namelist() if ".dist-info/" not in name}
modules = {name for name in held if name.startswith("tangra/_core.") and name.endswith(".so")}
sources = {f"tangra/{path.name}" for path in pathlib.Path("python/tangra").iterdir() if path.is_file()}
assert len(modules) == 1 and {"tangra/py.typed", "tangra/_core.pyi"} <= sources, (modules, sources)
assert held - modules == sources, f"more or less than the sources: {(held - modules) ^ sources}"
END
  python3 -m venv build/python/clean
  build/python/clean/bin/pip install --quiet --disable-pip-version-check build/python/wheel/tangra-*.whl
  (cd build/python/clean && bin/python -c '
import numpy, tangra
k = tangra.chain("Chain(Dense(3 => 2))").kernel(numpy.eye(3), reduce="trace")
assert k.shape == (3, 3) and k.spectrum().verdict == "positive definite", k
print("wheel:", tangra.__version__, tangra.__file__)')
fi
