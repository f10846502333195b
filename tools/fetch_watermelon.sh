#!/bin/sh
# Install the real WatermelonDB, as tests/watermelon/package-lock.json names it, under var/watermelon or under the folder given.
# The lock names no registry: npm asks the one that it is set up for.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
target=${1:-$here/var/watermelon}
wanted=$here/tests/watermelon/package-lock.json

if cmp -s "$wanted" "$target/package-lock.json" && [ -e "$target/.complete" ]; then
    echo "WatermelonDB is already in $target"
    exit 0
fi
for program in node npm; do
    if ! command -v "$program" >/dev/null; then
        echo "WatermelonDB: $program is missing; install Node.js 20 or newer with npm" >&2
        exit 1
    fi
done

mkdir -p "$(dirname -- "$target")"
# The scratch folder lies beside the target, so that the last step is a rename: whole or not there.
scratch=$(mktemp -d "$target.XXXXXX")
trap 'rm -rf "$scratch"' EXIT INT TERM
cp "$here/tests/watermelon/package.json" "$wanted" "$scratch/"
(cd "$scratch" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
touch "$scratch/.complete"
chmod 755 "$scratch"
rm -rf "$target"
mv "$scratch" "$target"
echo "WatermelonDB is in $target"
