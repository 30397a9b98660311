#!/usr/bin/env node
import { launch } from "./launch.js";

launch("agent/main.ts", "valinor-agent.js", ({ main }) => main(process.argv.slice(2)));
