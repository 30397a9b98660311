import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openPostgresStore } from "../../src/store/postgres/postgres.ts";
import type { StoreNews } from "../../src/store/troubles.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { fillDisk, missingMounts, startMounts } from "../helpers/mounts.ts";
import { missingPostgres, startPostgres } from "../helpers/postgres.ts";
import { sql } from "../helpers/sql.ts";
import { agent, ann, config, key } from "../store/records.ts";

const missing = missingPostgres() ?? missingMounts();
const PROGRAMS = "/usr/lib/postgresql/15/bin";

describe.skipIf(missing !== undefined)(`A PostgreSQL server ${missing ?? ""}`, () => {
  test("whose disk is full is told apart from one that is away, loses nothing, and is written to again once there is room", async () => {
    const server = await startPostgres();
    const admin = server.url("postgres");
    const { port } = new URL(admin);
    // It starts again where a small disk is mounted, with what it was given on the command line until then.
    for (const setting of [
      `port = ${port}`,
      `unix_socket_directories = '${server.folder}'`,
      "listen_addresses = '127.0.0.1'",
      "fsync = off",
    ])
      await sql(admin, `alter system set ${setting}`);
    server.stop("fast");
    const small = join(server.folder, "small");
    mkdirSync(small);
    const mounts = await startMounts(
      `mount -t tmpfs -o size=16m,uid=$(id -u postgres),mode=700 tmpfs ${small}`,
    );
    const asOwner =
      process.getuid?.() === 0 ? ["--reuid=postgres", "--regid=postgres", "--clear-groups"] : [];
    const running = mounts.run("setpriv", [
      ...asOwner,
      join(PROGRAMS, "postgres"),
      "-D",
      join(server.folder, "data"),
    ]);
    await running.waitFor(/ready to accept connections/, { of: "stderr" });
    await sql(admin, `create tablespace small location '${small}'`);
    await sql(admin, "create database full_disk tablespace small");
    const news: StoreNews[] = [];
    const store = await openPostgresStore(server.url("full_disk"), {}, (item) => news.push(item));
    afterFile(() => store.close());
    await store.createAgent(agent(), ann);
    const ballast = join(mounts.outside(small), "ballast");
    fillDisk(ballast);
    let acknowledged = 1;
    const push = async (): Promise<unknown> => {
      const text = Array.from({ length: 2_000 }, Math.random).join();
      return store.putConfig(key, config({ config: { text } })).then(
        ({ revision }) => void (acknowledged = revision),
        (error: unknown) => error,
      );
    };
    let failure: unknown;
    for (let n = 0; failure === undefined && n < 200; n++) failure = await push();
    expect(failure).toMatchObject({ code: "unavailable", trouble: "full" });
    expect(news).toMatchObject([
      { what: "write", works: false, detail: expect.stringContaining("no room left on its disk") },
    ]);
    expect(await store.getAgent(key)).toMatchObject({ configRevision: acknowledged });
    rmSync(ballast);
    expect(await push()).toBeUndefined();
    expect(news.at(-1)).toMatchObject({ what: "write", works: true });
    expect((await store.currentConfig(key))?.revision).toBe(acknowledged);
    running.kill("SIGQUIT");
    await running.exited;
  });
});
