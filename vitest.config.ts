import { defineConfig } from "vitest/config";

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
    pool: "forks",
    // One more than the cores of a small machine: many tests wait for the clock. The default there is a single one.
    maxWorkers: 3,
    sequence: { shuffle: true },
  },
});
