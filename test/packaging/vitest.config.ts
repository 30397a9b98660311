import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:build: builds what goes into a guest, and tries it.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/packaging/**/*.test.ts"],
    globalSetup: "test/packaging/build.ts",
    testTimeout: 30_000,
    hookTimeout: 120_000,
    pool: "forks",
  },
});
