import { describe, expect, test } from "vitest";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import type { Store } from "../../src/store/store.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { freePort } from "../helpers/ports.ts";
import { missingPostgres, startPostgres, type TestPostgres } from "../helpers/postgres.ts";
import { sql } from "../helpers/sql.ts";
import { startTcpSwitch } from "../helpers/tcp-switch.ts";
import { until } from "../helpers/until.ts";
import { agent, ann, config } from "../store/records.ts";

const WRITERS = 8;
/** Acknowledged writes before the primary dies, and after the standby took over. */
const BEFORE = 400;
const AFTER = 100;

const missing = missingPostgres();

/** A primary that waits for a standby at every commit, as `synchronous_commit` says, and the switch in front of both. */
async function startPair(level: "on" | "remote_apply") {
  const primary = await startPostgres();
  const database = await primary.createDatabase();
  const standbyPort = await freePort();
  primary.run("pg_basebackup", [
    "-D",
    "standby",
    "-R",
    "-X",
    "stream",
    "-c",
    "fast",
    "-d",
    primary.url("postgres"),
  ]);
  // Given to pg_ctl again at each start.
  const settings = `-p ${standbyPort} -k ${primary.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=400`;
  const log = `${primary.folder}/standby.log`;
  const startStandby = () =>
    void primary.run("pg_ctl", ["start", "-D", "standby", "-w", "-o", settings, "-l", log]);
  startStandby();
  afterFile(() => void primary.run("pg_ctl", ["stop", "-D", "standby", "-m", "immediate", "-w"]));
  await sql(primary.url("postgres"), "alter system set synchronous_standby_names = '*'");
  await sql(primary.url("postgres"), `alter system set synchronous_commit = ${level}`);
  await sql(primary.url("postgres"), "select pg_reload_conf()");
  await until("the standby is synchronous", async () => {
    const { rows } = await sql(primary.url("postgres"), "select sync_state from pg_stat_replication");
    return rows[0]?.["sync_state"] === "sync";
  });
  const url = new URL(primary.url(database));
  const way = await startTcpSwitch(Number(url.port));
  url.port = String(way.port);
  return { primary, way, url: url.href, standbyPort, startStandby };
}

/** Pushes one configuration after the other, each its own, until told to stop; what fails is not counted. */
function startWriters(store: Store) {
  const acknowledged: { id: string; revision: number; sha256: string }[] = [];
  const failures: number[] = [];
  const stopping = new AbortController();
  const writers = Array.from({ length: WRITERS }, async (_, index) => {
    const id = `w${index}`;
    for (let n = 0; !stopping.signal.aborted; n++) {
      const next = config({ config: { n, id } });
      try {
        const { revision } = await store.putConfig({ tenant: "acme", id }, next);
        acknowledged.push({ id, revision, sha256: next.sha256 });
      } catch {
        failures.push(n); // not acknowledged: whether it is there nobody promised
      }
    }
  });
  return {
    acknowledged,
    failures,
    async stop() {
      stopping.abort();
      await Promise.all(writers);
    },
  };
}

/** Every push that the audit log tells of, as JSON of agent, revision and digest. */
async function pushes(store: Store): Promise<Set<string>> {
  const found = new Set<string>();
  for (let after = 0; ;) {
    const entries = await store.listAudit({ after, limit: 1_000 });
    for (const { action, agentId, detail } of entries)
      if (action === "config.push")
        found.add(JSON.stringify([agentId, detail["revision"], detail["sha256"]]));
    const last = entries.at(-1);
    if (last === undefined) return found;
    after = last.sequence;
  }
}

function promote(primary: TestPostgres): void {
  primary.run("pg_ctl", ["promote", "-D", "standby", "-w"]);
}

describe.skipIf(missing !== undefined).each(["on", "remote_apply"] as const)(
  `PostgreSQL with a synchronous standby, synchronous_commit = %s ${missing ?? ""}`,
  (level) => {
    test("loses no acknowledged write when the primary is killed under load and the standby takes over", async () => {
      const { primary, way, url, standbyPort } = await startPair(level);
      const store = await openPostgresStore(url, { statementMs: 2_000 });
      afterFile(() => store.close());
      for (let n = 0; n < WRITERS; n++) await store.createAgent(agent({ id: `w${n}` }), ann);
      const load = startWriters(store);
      await until("it writes", () => load.acknowledged.length >= BEFORE, 60_000);
      const began = performance.now();
      const atKill = load.acknowledged.length;
      primary.kill();
      promote(primary);
      way.moveTo(standbyPort);
      const before = load.acknowledged.length;
      await until("it writes again", () => load.acknowledged.length > before, 60_000);
      const away = performance.now() - began;
      await until("it goes on writing", () => load.acknowledged.length >= before + AFTER, 60_000);
      await load.stop();
      const kept = await pushes(store);
      const lost = load.acknowledged.filter(
        ({ id, revision, sha256 }) => !kept.has(JSON.stringify([id, revision, sha256])),
      );
      expect(lost).toEqual([]);
      for (let n = 0; n < WRITERS; n++) {
        const last = load.acknowledged.findLast(({ id }) => id === `w${n}`);
        const current = await store.currentConfig({ tenant: "acme", id: `w${n}` });
        expect(current?.revision).toBeGreaterThanOrEqual(last?.revision ?? Infinity);
      }
      console.log(
        `synchronous_commit = ${level}: ${load.acknowledged.length} acknowledged writes, ${atKill} of them before the kill, 0 lost; ` +
          `${load.failures.length} refused; writes again after ${(away / 1000).toFixed(1)} s`,
      );
    });

    test("acknowledges nothing while the standby is away, and all of it once it is back", async () => {
      const { primary, url, startStandby } = await startPair(level);
      const store = await openPostgresStore(url, { statementMs: 500 });
      afterFile(() => store.close());
      await store.createAgent(agent({ id: "a" }), ann);
      const key = { tenant: "acme", id: "a" };
      primary.run("pg_ctl", ["stop", "-D", "standby", "-m", "immediate", "-w"]);
      const began = performance.now();
      await expect(store.putConfig(key, config())).rejects.toMatchObject({ code: "unavailable" });
      expect(performance.now() - began).toBeLessThan(15_000);
      expect(await store.getAgent(key)).toMatchObject(key);
      startStandby();
      await until(
        "it writes again",
        () =>
          store.putConfig(key, config()).then(
            () => true,
            () => false,
          ),
        30_000,
      );
    });
  },
);
