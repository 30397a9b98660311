import { writeSync } from "node:fs";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";

/** Pushes configurations into the store named on the command line until it is killed; prints each acknowledged revision. */
const store = await openSqliteStore(process.argv[2] ?? "");
const key = { tenant: "acme", id: "a1" };
const actor = { subject: "writer", credential: "local" };
await store.createAgent({ ...key, status: "RUNNING", vsockCid: 0, address: "" }, actor);
for (;;) {
  const { revision } = await store.putConfig(key, {
    config: { filler: "x".repeat(2_000) },
    policy: { mode: "all", tools: [] },
    sha256: "0".repeat(64),
    actor,
    rollbackOf: 0,
    expectedRevision: 0,
  });
  writeSync(1, `${revision}\n`);
}
