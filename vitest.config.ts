import { join } from "node:path";
import { defineConfig } from "vitest/config";

// The tests start hundreds of programs. With what the first one compiled at hand, the others need half of the CPU time to start.
process.env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules/.cache/node-compile");

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Slow suites have their own configuration and npm script.
    exclude: [
      "test/{conformance,console,convergence,crash,faults,fuzz,hostile,openclaw,packaging,postgres,soak,vm}/**",
      "test/clients/{browser,pack}.test.ts",
      "test/docs/clients.test.ts",
      "test/store/postgres/postgres.test.ts",
      "node_modules/**",
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // What a test waits for comes late on a busy machine: the wait is no promise about time.
    expect: { poll: { timeout: 15_000 } },
    pool: "forks",
    // One more than the cores of a small machine: many tests wait for the clock. The default there is a single one.
    maxWorkers: 3,
    sequence: { shuffle: true },
  },
});
