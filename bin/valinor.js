#!/usr/bin/env node
import { launch } from "./launch.js";

const before = () => import("./node-options.js").then(({ becomeWithOptions }) => becomeWithOptions());

launch("bin/main.ts", "valinor.js", ({ main }) => main(process.argv.slice(2), process.env), before);
