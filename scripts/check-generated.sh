#!/usr/bin/env bash
# Fails, and shows the difference, if gen/ is not what `npm run generate` makes of the schemas today. It generates into
# an empty directory, so files that no schema makes any more are found too, and the tree is left as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
buf generate --output "$fresh"

# The manifests alone are written by hand: gen/go/go.mod and go.sum, gen/ts/package.json. reasons.ts is not made by buf.
stale=0
for tree in gen/ts gen/go/valinor; do
  diff --exclude=package.json --exclude=reasons.ts --recursive --new-file --unified "$tree" "$fresh/$tree" || stale=1
done
# What follows from the reasons; it needs gen/ to be what the schemas say.
[ "$stale" -ne 0 ] || node scripts/reasons/generate.ts --check || stale=1
if [ "$stale" -ne 0 ]; then
  echo "what is generated differs from the schemas: run npm run generate, and commit what it changes" >&2
  exit 1
fi
