#!/bin/sh
# In a guest whose kernel has no vsock yet: tries vsock without it, loads it, and tries everything on its loopback.
cd /valinor
node --disable-warning=ExperimentalWarning loopback.mjs absent
for module in vsock vmw_vsock_virtio_transport_common vsock_loopback; do insmod "/modules/$module.ko"; done
node --disable-warning=ExperimentalWarning loopback.mjs present
