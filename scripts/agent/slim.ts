import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Plugin } from "rolldown";

/** What is offered of ws: its client. Its server, and what joins a socket with streams, stay out of the bundle. */
const OFFERED = new Set(["WebSocket"]);
const folder = dirname(createRequire(import.meta.url).resolve("ws/package.json"));
const OFFER = `exports.WebSocket = require(${JSON.stringify(join(folder, "lib/websocket.js"))});`;

/** Stands for compression, which the agent never offers: with it comes zlib. */
const NO_COMPRESSION = `

module.exports = class { constructor() { throw new Error("compression is not in this build"); } };
module.exports.extensionName = "permessage-deflate";
`;
/** Files of ws in whose place something else is bundled. */
const REPLACED = new Map([["lib/permessage-deflate.js", NO_COMPRESSION]]);

/** Modules that are asked for, and what stands for them: those of Node that only https needs come when it needs them, ws's helpers never. */
const ASKED_FOR = new Map([
  ["ws", OFFER],
  ["https", `module.exports = { get request() { return process.getBuiltinModule("node:https").request; } };`],
  ["tls", `exports.connect = (options) => process.getBuiltinModule("node:tls").connect(options);`],
  ["bufferutil", `throw new Error("bufferutil is not in this build");`],
  ["utf-8-validate", `throw new Error("utf-8-validate is not in this build");`],
]);
const VIRTUAL = "\0slim-ws/";

const IMPORT = /(?:import|const)\s+(type\s+)?\{([^}]*)\}\s*(?:from\s*|=\s*await import\()"ws"/g;

/**
 * Takes of ws what OFFERED names and no more. Fails if the agent asks for more, and if ws no longer has a file of
 * REPLACED.
 */
export function slimWs(): Plugin {
  const missing = new Set(REPLACED.keys());
  return {
    name: "slim-ws",
    resolveId: {
      filter: { id: /^(?:ws|https|tls|bufferutil|utf-8-validate)$/ },
      handler: (id) => `${VIRTUAL}${id}.cjs`,
    },
    load: {
      filter: { id: /[\\/]node_modules[\\/]ws[\\/]lib[\\/]|^\0slim-ws\// },
      handler(id) {
        if (id.startsWith(VIRTUAL)) return ASKED_FOR.get(id.slice(VIRTUAL.length, -".cjs".length));
        const path = id.replaceAll("\\", "/").replace(/^.*\/node_modules\/ws\//, "");
        missing.delete(path);
        return REPLACED.get(path);
      },
    },
    transform: {
      filter: { code: /"ws"/ },
      handler(code, id) {
        const more = importedOfWs(code).filter((name) => !OFFERED.has(name));
        if (more.length > 0)
          this.error(`${id} imports ${more.join(", ")} of ws: offer it in scripts/agent/slim.ts`);
      },
    },
    buildEnd(error) {
      if (error === undefined && missing.size > 0)
        this.error(`ws has changed: scripts/agent/slim.ts replaces ${[...missing].join(", ")}`);
    },
  };
}

/** Names of values that a module imports of ws. */
export function importedOfWs(code: string): string[] {
  return [...code.matchAll(IMPORT)]
    .filter(([, type]) => type === undefined)
    .flatMap(([, , names]) => (names ?? "").split(","))
    .map((name) => name.trim())
    .filter((name) => name !== "" && !name.startsWith("type "))
    .map((name) => name.split(/\s|:/, 1)[0] ?? "");
}
