import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, loadConfig } from "../../../src/config.ts";
import { mutateBytes, mutateText, pick } from "../mutate.ts";
import type { Target } from "../target.ts";

/** Configuration files: what is wrong with one is said by ConfigError alone. */
export const configFile: Target = {
  name: "config-file",
  weight: 0.4,
  async open() {
    const folder = mkdtempSync(join(tmpdir(), "valinor-fuzz-"));
    const path = join(folder, "valinor.yaml");
    const texts = [
      join(import.meta.dirname, "../../../examples/valinor.yaml"),
      join(import.meta.dirname, "../corpus/valinor.yaml"),
    ].map((file) => readFileSync(file, "utf8"));
    return {
      make(random) {
        const text = pick(texts, random);
        if (random.chance(0.3)) return mutateBytes(Buffer.from(text), random);
        const lines = text
          .split("\n")
          .filter((line) => !random.chance(0.2) && !line.trimStart().startsWith("#"));
        return Buffer.from(
          lines.map((line) => (random.chance(0.1) ? mutateText(line, random) : line)).join("\n"),
        );
      },
      async run(input) {
        writeFileSync(path, input);
        try {
          loadConfig({ file: path, env: {}, flags: {}, mode: "serve" });
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
        }
        return 1;
      },
      close: async () => rmSync(folder, { recursive: true, force: true }),
    };
  },
};
