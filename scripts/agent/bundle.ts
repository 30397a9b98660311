import { join } from "node:path";
import { rolldown } from "rolldown";
import { slimWs } from "./slim.ts";

/**
 * Bundles the agent and all that it imports into one CommonJS file, which needs nothing but Node. Rejects if an import
 * cannot be found. `whole` keeps ws as it is published. Resolves with the modules that are in it, as the bundler names them.
 */
export async function bundleAgent(file: string, { whole = false } = {}): Promise<readonly string[]> {
  const bundle = await rolldown({
    input: join(import.meta.dirname, "entry.ts"),
    platform: "node",
    external: [/^node:/],
    plugins: whole ? [] : [slimWs()],
    onLog(level, log) {
      // What a bundler warns of, an import that is missing above all, would fail in the guest.
      throw new Error(`${level}: ${log.message}`);
    },
  });
  const { output } = await bundle.write({
    file,
    format: "cjs",
    minify: true,
    codeSplitting: false,
    comments: { legal: true },
  });
  await bundle.close();
  return output[0].moduleIds;
}
