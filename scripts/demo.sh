#!/usr/bin/env bash
# Installs what is missing, builds the program, and computes the neural tangent kernel of a small network on the 1,797
# pictures of digits that are built in: its table, the verdict on its eigenvalues, and a check of the method.
#
#   scripts/demo.sh [FOLDER]
#
# The kernel goes to FOLDER (default: build/demo), and replaces what an earlier demo left there.
set -euo pipefail

case "${1:-}" in
  -h | --help)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
  -*)
    echo "demo.sh: there is no option $1 (see --help)" >&2
    exit 2
    ;;
esac

project=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
folder=${1:-$project/build/demo}
mkdir -p -- "$folder"
folder=$(cd -- "$folder" && pwd)

cd -- "$project"
scripts/install.sh
echo "Building the program ..."
cmake --preset default --log-level=WARNING >/dev/null
cmake --build --preset default --parallel "$(nproc)" --target tangra_cli

PATH=$project/build/default/bin:$PATH
cd -- "$folder"

# Shows the command as one would type it, then runs it.
show() {
  local word line='$'
  for word in "$@"; do
    if [[ "$word" == *[[:space:]]* ]]; then line+=" '$word'"; else line+=" $word"; fi
  done
  printf '\n%s\n' "$line"
  "$@"
}

network='Chain(Dense(64 => 100, relu), Dense(100 => 10))'
started=$SECONDS
show tangra summary "$network"
show tangra kernel "$network" digits --reduce trace -o K.npy --force
show tangra spectrum K.npy
show tangra verify 'Chain(Dense(64 => 4, tanh), Dense(4 => 3))' digits --n 3 --reduce trace

cat <<END

The demo took $((SECONDS - started)) s after the build. The kernel is $folder/K.npy (NumPy reads it), and K.npy.json beside it
tells how it was made. The program is $project/build/default/bin/tangra. To go on:

  export PATH=$project/build/default/bin:\$PATH
  tangra --help
  tangra kernel '$network' digits --reduce trace --by layer
  tangra data list
END
