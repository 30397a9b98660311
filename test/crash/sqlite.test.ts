import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { checkHistory, type Killed } from "./check.ts";

const KILLS = 200;
/** Processes that write to one file at once. */
const WRITERS = 4;
/** Longest life of a writer after its first write, milliseconds. */
const LIFE_MS = 250;
const OPEN_MS = 2_000;

test(`${KILLS} killed writers lose nothing of what they were told is done`, async () => {
  const path = join(tempDir(), "valinor.db");
  const killed: Killed[] = [];
  let slowest = 0;
  while (killed.length < KILLS) {
    const round = await Promise.all(
      Array.from({ length: WRITERS }, (_, index) => killWriter(path, killed.length + index)),
    );
    killed.push(...round);
    const began = performance.now();
    const store = await openSqliteStore(path);
    slowest = Math.max(slowest, performance.now() - began);
    expect(slowest).toBeLessThan(OPEN_MS);
    for (const writer of round) await checkHistory(store, writer);
    await store.close();
    expectWhole(path);
  }
  // And nothing of earlier rounds was lost in later ones.
  const store = await openSqliteStore(path);
  for (const writer of killed) await checkHistory(store, writer);
  await store.close();
  const writes = killed.reduce((sum, { acknowledged }) => sum + acknowledged, 0);
  expect(writes).toBeGreaterThan(KILLS);
  console.log(
    `${killed.length} kills, ${writes} acknowledged writes, opened in ${slowest.toFixed(0)} ms at most`,
  );
});

/** Starts a writer and kills it at some moment; every tenth one perhaps before its first write. */
async function killWriter(path: string, seed: number): Promise<Killed> {
  const tenant = `w${seed}`;
  const file = join(import.meta.dirname, "writer.ts");
  const child = spawn(process.execPath, [file, path, tenant, String(seed)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  let acknowledged = 0;
  const lines = createInterface({ input: child.stdout });
  const first = once(lines, "line");
  lines.on("line", (line) => (acknowledged = Number(line)));
  const read = once(lines, "close");
  if (seed % 10 !== 0) await Promise.race([first, exit]);
  await sleep(Math.random() * LIFE_MS);
  child.kill("SIGKILL");
  const [, signal] = (await exit) as [number | null, string | null];
  await read;
  // Otherwise it failed by itself.
  expect({ seed, signal }).toEqual({ seed, signal: "SIGKILL" });
  return { tenant, seed, acknowledged };
}

function expectWhole(path: string): void {
  const database = new DatabaseSync(path);
  expect(database.prepare("pragma integrity_check").all()).toEqual([{ integrity_check: "ok" }]);
  expect(database.prepare("pragma foreign_key_check").all()).toEqual([]);
  database.close();
}
