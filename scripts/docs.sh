#!/usr/bin/env bash
# Builds the documentation site into build/docs/html, offline: no warnings, no broken links.
#
#   scripts/docs.sh [--install]
#
#   --install  gets what the site needs: doxygen (scripts/install.sh --docs), and sphinx with two extensions in the environment
#              of scripts/python.sh --install
#
# The Python API comes from the docstrings of the built module: run scripts/python.sh first. PYTHON (default: the environment of
# scripts/python.sh, else python3) must have sphinx, myst-parser, breathe, numpy, scipy and scikit-learn.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

install=no
while (($#)); do
  case "$1" in
    --install) install=yes ;;
    -h | --help)
      sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
      exit 0
      ;;
    *)
      echo "docs.sh: there is no option $1 (see --help)" >&2
      exit 2
      ;;
  esac
  shift
done

venv=$PWD/build/python/venv
if [[ "$install" == yes ]]; then
  scripts/install.sh --docs
  [[ -x "$venv/bin/python" ]] || python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check numpy scipy scikit-learn sphinx myst-parser breathe
fi
if [[ -z "${PYTHON:-}" ]]; then
  PYTHON=python3
  [[ -x "$venv/bin/python" ]] && PYTHON=$venv/bin/python
fi
for needed in "command -v doxygen" "$PYTHON -c 'import sphinx, myst_parser, breathe, scipy, sklearn'"; do
  bash -c "$needed" >/dev/null 2>&1 || {
    echo "docs.sh: this fails: $needed. Run scripts/docs.sh --install" >&2
    exit 1
  }
done
module=$PWD/build/default/python
PYTHONPATH=$module "$PYTHON" -c 'import tangra' || {
  echo "docs.sh: the Python module is not built: run scripts/python.sh" >&2
  exit 1
}

site=$PWD/build/docs
rm -rf "$site"
mkdir -p "$site"
{
  cat docs/Doxyfile
  echo "OUTPUT_DIRECTORY = $site"
} | doxygen -
PYTHONPATH=$module TANGRA_DOXYGEN_XML=$site/xml "$PYTHON" -m sphinx --quiet --fail-on-warning --keep-going -b html docs "$site/html"
"$PYTHON" scripts/check_links.py "$site/html"
echo "site: build/docs/html/index.html"
