import { defineConfig } from "vitest/config";

/** What stands on the store, again on PostgreSQL, and what happens when that goes away: `npm run test:postgres`. */
export default defineConfig({
  test: {
    include: ["test/{agents,core,e2e,postgres}/**/*.test.ts", "test/store/postgres/postgres.test.ts"],
    globalSetup: ["test/postgres/setup.ts"],
    env: { VALINOR_TEST_STORE: "postgres" },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 3,
    sequence: { shuffle: true },
  },
});
