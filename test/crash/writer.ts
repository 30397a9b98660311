import { writeSync } from "node:fs";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { createHistory, perform } from "./history.ts";

/** Writes a history (STORE TENANT SEED) until it is killed, and prints the number of each step when the store says that it is done. */
const [path = "", tenant = "", seed = ""] = process.argv.slice(2);
const store = await openSqliteStore(path);
const history = createHistory(Number(seed));
for (;;) {
  const step = history.next();
  await perform(store, tenant, step, history.expected);
  writeSync(1, `${step.n}\n`);
}
