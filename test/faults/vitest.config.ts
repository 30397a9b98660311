import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:faults: real processes, with toxics on every connection between them, kills and stops.
// VALINOR_FAULTS_SENDS (default 2,000; the long form is 10,000) says how many messages are sent at least, VALINOR_FAULTS_ORDERS (default 4;
// at most 24) in how many orders everything is killed, VALINOR_TEST_SEED repeats a run's choices.
// vitest takes the configuration from the default export alone.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/faults/**/*.test.ts"],
    testTimeout: 1_800_000,
    hookTimeout: 120_000,
    pool: "forks",
    fileParallelism: false,
    // The figures are told on standard output.
    disableConsoleIntercept: true,
  },
});
