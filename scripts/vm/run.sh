#!/usr/bin/env bash
# Runs a guest with an agent and a scripted model in it, `scripts/vm/run.sh [DIRECTORY]` (default /tmp/valinor-vm), until
# Ctrl-C. The control plane reaches it at unix://DIRECTORY/vm.sock?port=1024.
set -euo pipefail
here=$(dirname "$0")
directory=${1:-/tmp/valinor-vm}
"$here/prepare.sh"
mkdir -p "$directory"
"$here/image.sh" "$directory/initrd"
rm -f "$directory/vhost.sock" "$directory/vm.sock"
"$here/../../.cache/vm/cargo/bin/vhost-device-vsock" \
  --vm "guest-cid=3,socket=$directory/vhost.sock,uds-path=$directory/vm.sock" &
device=$!
machine=
trap 'kill $machine $device 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM
while [[ ! -S $directory/vhost.sock ]]; do sleep 0.05; done
echo "the agent will answer at unix://$directory/vm.sock?port=1024"
"$here/qemu.sh" "$directory/initrd" "$directory/vhost.sock" &
machine=$!
wait "$machine"
