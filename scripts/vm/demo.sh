#!/bin/sh
# In the guest: a scripted model in place of OpenClaw, and the agent.
cd /valinor
node model.mjs &
. ./agent.sh
