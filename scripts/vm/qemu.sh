#!/usr/bin/env bash
# Becomes the QEMU of one guest, `scripts/vm/qemu.sh INITRD [VHOST_SOCKET] [KERNEL_PARAMETER...]`, its console on standard
# output. With a socket of vhost-device-vsock (else "") the guest has a vsock device; it has no other way out.
# Software emulation only: it works on every machine, and in every CI.
set -euo pipefail
cache=$(dirname "$0")/../../.cache/vm
initrd=$1
vhost=${2-}
shift $(($# > 1 ? 2 : 1))
MEMORY=1024

device=()
if [[ -n $vhost ]]; then
  # vhost-user: the device is another process, which needs the guest's memory shared with it.
  device=(-object "memory-backend-memfd,id=memory,size=${MEMORY}M,share=on" -machine memory-backend=memory
    -chardev "socket,id=vsock,path=$vhost" -device vhost-user-vsock-pci,chardev=vsock)
fi
exec qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m "$MEMORY" -nodefaults -display none -serial stdio -no-reboot \
  "${device[@]}" -kernel "$cache/vmlinuz" -initrd "$initrd" \
  -append "console=ttyS0 quiet panic=-1 $*"
