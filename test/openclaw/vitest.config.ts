import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:openclaw: the agent and the control plane with a real OpenClaw behind them.
// vitest takes the configuration from the default export alone.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/openclaw/**/*.test.ts"],
    globalSetup: "test/openclaw/install.ts",
    testTimeout: 90_000,
    hookTimeout: 180_000,
    pool: "forks",
    // One OpenClaw at a time: it takes 1.5 GB.
    fileParallelism: false,
    sequence: { shuffle: true },
  },
});
