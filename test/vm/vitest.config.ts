import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/vm/**/*.test.ts"],
    globalSetup: ["test/vm/setup.ts"],
    // An emulated guest is slow, and a machine with other work makes it slower still.
    testTimeout: 120_000,
    hookTimeout: 240_000,
    // What a test waits for comes late on a busy machine.
    expect: { poll: { timeout: 15_000 } },
    // One guest at a time: two would only take each other's time.
    fileParallelism: false,
    pool: "forks",
  },
});
