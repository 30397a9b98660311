import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:hostile: clients and guests that attack a real `valinor serve`, and what a good client notices of it.
// VALINOR_HOSTILE=long attacks each time for 20 seconds instead of 1.5.
const long = process.env["VALINOR_HOSTILE"] === "long";

// vitest takes the configuration from the default export alone.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/hostile/**/*.test.ts"],
    provide: { hostileMs: long ? 20_000 : 1_500 },
    testTimeout: 240_000,
    hookTimeout: 60_000,
    pool: "forks",
    // One server and one attack at a time: the figures are about them.
    fileParallelism: false,
    // The figures are told on standard output.
    disableConsoleIntercept: true,
  },
});

declare module "vitest" {
  export interface ProvidedContext {
    /** Milliseconds that each attack lasts. */
    hostileMs: number;
  }
}
