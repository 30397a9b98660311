#!/usr/bin/env bash
# Makes a guest's initramfs, `scripts/vm/image.sh FILE`: the cached file system of prepare.sh and, in /valinor, the agent as
# it is in this working tree. Node runs its TypeScript as it stands.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$1
base=.cache/vm/base.cpio
# What agent/, the scripted model and test/vm/guest import.
PACKAGES="@bufbuild/protobuf @bufbuild/protovalidate eventsource-parser undici zod"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root/valinor/node_modules/@bufbuild"
cp -r --parents package.json bin agent src gen/ts scripts/vm test/vm/guest "$root/valinor/"
for package in $PACKAGES; do cp -r "node_modules/$package" "$root/valinor/node_modules/$package"; done
# A kernel unpacks archives that follow one another, each padded to a block, on top of one another.
{
  cat "$base"
  (cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0)
} >"$target.new"
mv "$target.new" "$target"
