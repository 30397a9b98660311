#!/bin/sh
# In the guest: the model and what tests need to control it, and the agent.
cd /valinor
node --disable-warning=ExperimentalWarning control.mjs &
. ./agent.sh
