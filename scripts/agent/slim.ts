import { join } from "node:path";
import type { Plugin } from "rolldown";

/** What scripts/agent/undici.cjs offers. */
const OFFERED = new Set(["Pool", "Agent", "buildConnector", "WebSocket"]);

/**
 * Modules of undici that are never reached if all is HTTP/1.1, and what stands in for them. Of the two forms of the HTTP
 * parser the plain one stays: it runs on every processor, and for streams of small chunks it is as fast.
 */
const REPLACED = new Map([
  [
    "lib/dispatcher/client-h2.js",
    `module.exports = () => { throw new Error("HTTP/2 is not in this build"); };`,
  ],
  ["lib/llhttp/llhttp_simd-wasm.js", "module.exports = undefined;"],
  ["lib/milo/simd.js", "module.exports = undefined;"],
  ["lib/milo/no-simd.js", "module.exports = undefined;"],
]);

const IMPORT = /(?:import|const)\s+(type\s+)?\{([^}]*)\}\s*(?:from\s*|=\s*await import\()"undici"/g;

/**
 * Takes of undici what scripts/agent/undici.cjs names and no more. Fails if the agent asks for more, and if undici no
 * longer has a file of REPLACED.
 */
export function slimUndici(): Plugin {
  const missing = new Set(REPLACED.keys());
  return {
    name: "slim-undici",
    resolveId: {
      filter: { id: /^undici$/ },
      handler: () => join(import.meta.dirname, "undici.cjs"),
    },
    load: {
      filter: { id: /[\\/]node_modules[\\/]undici[\\/]lib[\\/]/ },
      handler(id) {
        const path = id.replaceAll("\\", "/").replace(/^.*\/node_modules\/undici\//, "");
        missing.delete(path);
        return REPLACED.get(path);
      },
    },
    transform: {
      filter: { code: /"undici"/ },
      handler(code, id) {
        const more = importedOfUndici(code).filter((name) => !OFFERED.has(name));
        if (more.length > 0)
          this.error(`${id} imports ${more.join(", ")} of undici: offer it in scripts/agent/undici.cjs`);
      },
    },
    buildEnd(error) {
      if (error === undefined && missing.size > 0)
        this.error(`undici has changed: scripts/agent/slim.ts replaces ${[...missing].join(", ")}`);
    },
  };
}

/** Names of values that a module imports of undici. */
export function importedOfUndici(code: string): string[] {
  return [...code.matchAll(IMPORT)]
    .filter(([, type]) => type === undefined)
    .flatMap(([, , names]) => (names ?? "").split(","))
    .map((name) => name.trim())
    .filter((name) => name !== "" && !name.startsWith("type "))
    .map((name) => name.split(/\s|:/, 1)[0] ?? "");
}
