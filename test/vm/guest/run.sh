#!/bin/sh
# In the guest: the model and what tests need to control it, and the agent.
cd /valinor
node --disable-warning=ExperimentalWarning test/vm/guest/control.ts &
. scripts/vm/agent.sh
