#!/usr/bin/env node
import { launch } from "./launch.js";

launch("bin/main.ts", ({ main }) => main(process.argv.slice(2), process.env));
