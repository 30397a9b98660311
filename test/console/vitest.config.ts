import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:console: the console in headless Chromium, with a real control plane, agent and scripted model behind it.
// vitest takes the configuration from the default export alone.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/console/**/*.test.ts"],
    globalSetup: "test/console/setup.ts",
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000 } },
    pool: "forks",
    // One browser at a time: it takes as many processors as there are.
    fileParallelism: false,
    sequence: { shuffle: true },
  },
});
