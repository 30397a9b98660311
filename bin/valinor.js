#!/usr/bin/env node
import { launch } from "./launch.js";

launch("bin/main.ts", "valinor.js", ({ main }) => main(process.argv.slice(2), process.env));
