import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:convergence: a control plane with a thousand guests that flap, refuse and answer late.
// VALINOR_TEST_STORE=postgres keeps the store there; VALINOR_TEST_SEED repeats a run's choices.
// vitest takes the configuration from the default export alone.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/convergence/**/*.test.ts"],
    testTimeout: 240_000,
    hookTimeout: 60_000,
    pool: "forks",
    // The figures are told on standard output.
    disableConsoleIntercept: true,
  },
});
