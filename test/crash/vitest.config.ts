import { join } from "node:path";
import { defineConfig } from "vitest/config";

// npm run test:crash: processes that write are killed, and everything that they were told is done must be there.
// vitest takes the configuration from the default export alone.
export default defineConfig({
  root: join(import.meta.dirname, "../.."),
  test: {
    include: ["test/crash/**/*.test.ts"],
    testTimeout: 600_000,
    hookTimeout: 60_000,
    pool: "forks",
    // Start-up times are measured.
    fileParallelism: false,
  },
});
