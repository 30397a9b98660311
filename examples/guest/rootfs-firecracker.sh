#!/usr/bin/env bash
# Makes a root file system for Firecracker, `rootfs-firecracker.sh FILE AGENT_ID [BASE]`: Debian by debootstrap, or what is in
# BASE (a directory, or a tar archive of a container image), and the agent. Run it as root. OpenClaw is yours to add: BASE is the
# place for it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
file=${1:?usage: rootfs-firecracker.sh FILE AGENT_ID [BASE]}
id=${2:?usage: rootfs-firecracker.sh FILE AGENT_ID [BASE]}
base=${3-}
SIZE=${SIZE:-1G}
SUITE=${SUITE:-trixie}
MIRROR=${MIRROR:-} # empty: the one that debootstrap takes by itself
# Firecracker's kernels have all drivers built in, so that a guest needs no kernel package.
PACKAGES=${PACKAGES:-systemd-sysv,udev,kmod,libatomic1,libstdc++6}

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
if [[ -z $base ]]; then
  debootstrap --variant=minbase --include="$PACKAGES" "$SUITE" "$root" ${MIRROR:+"$MIRROR"}
elif [[ -d $base ]]; then
  cp -a "$base/." "$root/"
else
  tar -xf "$base" -C "$root" --numeric-owner
fi
chmod 0755 "$root"
"$here/install-agent.sh" "$root" "$id"

# -d fills the file system as it is made: no mount, no loop device.
rm -f "$file"
mkfs.ext4 -q -L rootfs -d "$root" "$file" "$SIZE"
