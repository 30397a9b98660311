#!/usr/bin/env bash
# Makes a guest for QEMU, `rootfs-qemu.sh DIRECTORY AGENT_ID`: Debian with its own kernel and the agent. DIRECTORY gets rootfs.ext4,
# vmlinuz and initrd. Run it as root; run-qemu.sh starts the guest.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
directory=${1:?usage: rootfs-qemu.sh DIRECTORY AGENT_ID}
id=${2:?usage: rootfs-qemu.sh DIRECTORY AGENT_ID}
SIZE=${SIZE:-2G}
SUITE=${SUITE:-trixie}
MIRROR=${MIRROR:-} # empty: the one that debootstrap takes by itself
PACKAGES=systemd-sysv,udev,kmod,libatomic1,libstdc++6,zstd,linux-image-cloud-amd64

mkdir -p "$directory"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
debootstrap --variant=minbase --include="$PACKAGES" "$SUITE" "$root" ${MIRROR:+"$MIRROR"}
chmod 0755 "$root"
"$here/install-agent.sh" "$root" "$id"
# The driver of virtio disks and file systems is in the initrd that Debian made while the kernel was installed.
cp "$root"/boot/vmlinuz-* "$directory/vmlinuz"
cp "$root"/boot/initrd.img-* "$directory/initrd"
rm -f "$directory/rootfs.ext4"
mkfs.ext4 -q -L rootfs -d "$root" "$directory/rootfs.ext4" "$SIZE"
