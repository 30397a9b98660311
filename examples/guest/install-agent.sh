#!/usr/bin/env bash
# Puts the agent into a guest's file system, `install-agent.sh ROOT AGENT_ID`: the single executable and what starts it, for
# systemd or OpenRC, whichever ROOT has. ROOT is a directory; it may also be / inside of the guest.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=${1:?usage: install-agent.sh ROOT AGENT_ID}
id=${2:?usage: install-agent.sh ROOT AGENT_ID}
agent=$here/../../dist/agent/valinor-agent

if [[ ! $id =~ ^[A-Za-z0-9._-]+$ ]]; then
  echo "an agent's id has letters, digits, dots, dashes and underscores, not: $id" >&2
  exit 2
fi
if [[ ! -x $agent ]]; then
  echo "there is no $agent: npm run build:agent makes it" >&2
  exit 1
fi
install -D -m 0755 "$agent" "$root/usr/local/bin/valinor-agent"

# Libraries that the executable is linked to and that a small system may lack.
for library in libatomic.so.1 libstdc++.so.6; do
  if [[ -z $(find "$root/lib/" "$root/usr/lib/" "$root/lib64/" -name "$library" -print -quit 2>/dev/null) ]]; then
    echo "warning: $root has no $library, which the agent needs (Debian: libatomic1, libstdc++6)" >&2
  fi
done

if [[ -d $root/usr/lib/systemd/system || -d $root/lib/systemd/system ]]; then
  install -D -m 0644 "$here/valinor-agent.service" "$root/etc/systemd/system/valinor-agent.service"
  mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/etc/valinor" "$root/etc/modules-load.d"
  ln -sf ../valinor-agent.service "$root/etc/systemd/system/multi-user.target.wants/valinor-agent.service"
  echo "VALINOR_AGENT_ID=$id" >"$root/etc/valinor/agent.env"
  # The driver of the vsock device. A kernel that has it built in says that it finds no such module, and goes on.
  echo vmw_vsock_virtio_transport >"$root/etc/modules-load.d/valinor-agent.conf"
elif [[ -e $root/sbin/openrc-run || -e $root/usr/sbin/openrc-run ]]; then
  install -D -m 0755 "$here/valinor-agent.initd" "$root/etc/init.d/valinor-agent"
  install -D -m 0644 "$here/valinor-agent.confd" "$root/etc/conf.d/valinor-agent"
  sed -i "s/^agent_id=.*/agent_id=\"$id\"/" "$root/etc/conf.d/valinor-agent"
  mkdir -p "$root/etc/runlevels/default"
  ln -sf /etc/init.d/valinor-agent "$root/etc/runlevels/default/valinor-agent"
  grep -qs '^valinor-agent:' "$root/etc/passwd" ||
    echo "warning: make the user valinor-agent in the guest: addgroup -S valinor-agent && adduser -S -D -H -G valinor-agent valinor-agent" >&2
else
  echo "$root has neither systemd nor OpenRC: start /usr/local/bin/valinor-agent yourself" >&2
fi
