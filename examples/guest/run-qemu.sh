#!/usr/bin/env bash
# Becomes the QEMU of a guest that rootfs-qemu.sh made, `run-qemu.sh DIRECTORY`, its console on standard output. The control
# plane reaches its agent at unix://DIRECTORY/vm.sock?port=1024. VHOST_DEVICE_VSOCK names the device's program.
set -euo pipefail
directory=$(cd "${1:?usage: run-qemu.sh DIRECTORY}" && pwd)
device=${VHOST_DEVICE_VSOCK:-vhost-device-vsock}
MEMORY=${MEMORY:-1024}
ACCEL=${ACCEL:-kvm}

rm -f "$directory/vhost.sock" "$directory/vm.sock"
"$device" --vm "guest-cid=3,socket=$directory/vhost.sock,uds-path=$directory/vm.sock" &
running=$!
trap 'kill "$running" 2>/dev/null || true' EXIT
while [[ ! -S $directory/vhost.sock ]]; do
  kill -0 "$running" # it has ended: so does this
  sleep 0.05
done
qemu-system-x86_64 -accel "$ACCEL" -cpu max -smp 2 -m "$MEMORY" -nodefaults -display none -serial stdio -no-reboot \
  -object "memory-backend-memfd,id=memory,size=${MEMORY}M,share=on" -machine memory-backend=memory \
  -chardev "socket,id=vsock,path=$directory/vhost.sock" -device vhost-user-vsock-pci,chardev=vsock \
  -drive "file=$directory/rootfs.ext4,format=raw,if=virtio" \
  -kernel "$directory/vmlinuz" -initrd "$directory/initrd" -append "console=ttyS0 root=/dev/vda rw quiet panic=-1"
