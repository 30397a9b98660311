import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:docs: runs every block of docs/clients.md against a server that needs no credential and one that wants an API key.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/docs/clients.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 300_000,
    // What a test waits for comes late on a busy machine.
    expect: { poll: { timeout: 15_000 } },
    pool: "forks",
  },
});
