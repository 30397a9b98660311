import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:conformance: other people's suites (Connect's conformance runner, h2spec, gRPC's own libraries) against this server, each
// beside a control of bare Node. It needs Go, and builds what it needs of it.
// vitest takes the configuration from the default export alone.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/conformance/**/*.test.ts"],
    testTimeout: 300_000,
    hookTimeout: 600_000,
    pool: "forks",
    // Each file loads both cores by itself.
    maxWorkers: 1,
    // The figures are told on standard output.
    disableConsoleIntercept: true,
  },
});
