#!/usr/bin/env bash
# Fails if a schema is not formatted, breaks a lint rule, or breaks clients of the last release (proto/baseline.binpb).
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/node_modules/.bin:$PATH"

image=$(mktemp --suffix=.binpb)
trap 'rm -f "$image"' EXIT

failed=0
buf format proto --diff --exit-code || failed=1
buf lint || failed=1
# The baseline is one image of all modules, and is compared with one image of them.
buf build --output "$image"
buf breaking "$image" --against proto/baseline.binpb || failed=1
exit "$failed"
