import { writeSync } from "node:fs";
import { openSqliteStore } from "../../src/store/sqlite.ts";

/** Pushes configurations into the store named on the command line until it is killed; prints each acknowledged revision. */
const store = await openSqliteStore(process.argv[2] ?? "");
const key = { tenant: "acme", id: "a1" };
await store.createAgent({ ...key, status: "RUNNING", vsockCid: 0, address: "" }, "writer");
for (;;) {
  const config = { filler: "x".repeat(2_000) };
  const policy = { mode: "all", tools: [] } as const;
  const { revision } = await store.putConfig(key, { config, policy, author: "writer", expectedRevision: 0 });
  writeSync(1, `${revision}\n`);
}
