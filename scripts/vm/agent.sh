#!/bin/sh
# In the guest: the agent, started again whenever it ends. Its process id stands in /run/agent.pid.
cd /valinor
while true; do
  ./valinor-agent --transport vsock --port 1024 \
    --openclaw-url http://127.0.0.1:8081 --agent-id demo --state-dir /run/valinor &
  echo $! >/run/agent.pid
  wait $!
  echo "agent.sh: the agent ended with $?"
  sleep 0.2
done
