import { join } from "node:path";
import type { Plugin } from "rolldown";

/** A module that is never called where requests are what the agent makes them: HTTP/1.1 with text as body. */
const NEVER = (what: string) =>
  `module.exports = () => { throw new Error("${what} is not in this build"); };`;

/**
 * Modules of undici that the agent's requests never reach, and what stands in for them. Of the two forms of the HTTP
 * parser the plain one stays: it runs on every processor, and for streams of small chunks it is as fast.
 */
const REPLACED = new Map([
  ["lib/dispatcher/client-h2.js", NEVER("HTTP/2")],
  ["lib/llhttp/llhttp_simd-wasm.js", "module.exports = undefined;"],
  ["lib/milo/simd.js", "module.exports = undefined;"],
  ["lib/milo/no-simd.js", "module.exports = undefined;"],
  ["lib/web/fetch/body.js", "module.exports = {};"],
  ["lib/web/fetch/formdata.js", "module.exports = {};"],
  ["lib/web/webidl/index.js", "exports.webidl = { is: { FormData: () => false } };"],
]);

/** Takes of undici what scripts/agent/undici.cjs names and no more. Fails where undici no longer has a file of REPLACED. */
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
    buildEnd(error) {
      if (error === undefined && missing.size > 0)
        this.error(`undici has changed: scripts/agent/slim.ts replaces ${[...missing].join(", ")}`);
    },
  };
}
