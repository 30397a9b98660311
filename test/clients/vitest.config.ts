import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:clients: packs @valinor/client, installs it as a stranger would, and tries it in Node and in a browser.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/clients/pack.test.ts", "test/clients/browser.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 300_000,
    // What a test waits for comes late on a busy machine.
    expect: { poll: { timeout: 15_000 } },
    pool: "forks",
  },
});
