import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import type { NewAuditEntry } from "../../../src/store/audit.ts";
import { afterFile, tempDir } from "../../helpers/cleanup.ts";
import { runValinor, spawnValinor } from "../../helpers/process.ts";

const by = { subject: "ann", credential: "key:k1" };

/** A store, and commands that work on it beside whoever has it open. */
async function startStore() {
  const path = join(tempDir(), "valinor.db");
  const store = await openSqliteStore(path);
  afterFile(() => store.close());
  const env = { VALINOR_STORE_URL: `sqlite:${path}` };
  const spawn = (...args: string[]) => spawnValinor(args, { env });
  async function run(...args: string[]) {
    const { code, stdout, stderr } = await runValinor(args, { env });
    return { code, lines: stdout.split("\n").filter(Boolean), stderr };
  }
  return { store, spawn, run };
}

function denied(tenant: string, n: number): NewAuditEntry {
  return { ...by, tenant, action: "denied", agentId: `a${n}`, detail: { n } };
}

describe("valinor audit export", () => {
  test("prints every entry, the oldest first, one JSON object a line", async () => {
    const { store, run } = await startStore();
    await store.appendAudit(Array.from({ length: 1_201 }, (_, n) => denied("acme", n)));
    const { code, lines } = await run("audit", "export");
    expect(code).toBe(0);
    const entries = lines.map((line) => JSON.parse(line) as { sequence: number; detail: { n: number } });
    expect(entries.map(({ detail }) => detail.n)).toEqual(Array.from({ length: 1_201 }, (_, n) => n));
    expect(entries[7]).toEqual({
      ...by,
      sequence: entries[7]?.sequence,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      tenant: "acme",
      action: "denied",
      agent_id: "a7",
      detail: { n: 7 },
    });
  });

  test("prints one tenant's entries, and those of a span of time", async () => {
    const { store, run } = await startStore();
    await store.appendAudit([denied("acme", 1), denied("blue", 2)]);
    expect((await run("audit", "export", "--tenant", "blue")).lines).toEqual([
      expect.stringContaining('"detail":{"n":2}'),
    ]);
    const later = new Date(Date.now() + 3_600_000).toISOString();
    expect((await run("audit", "export", "--since", "2020-01-01", "--until", later)).lines).toHaveLength(2);
    expect((await run("audit", "export", "--since", later)).lines).toEqual([]);
  });

  test("follows what comes, until a signal ends it", async () => {
    const { store, spawn } = await startStore();
    await store.appendAudit([denied("acme", 1)]);
    const program = spawn("audit", "export", "--follow");
    await program.waitFor(/"n":1\}/);
    await store.appendAudit([denied("acme", 2)]);
    await program.waitFor(/"n":1\}\}\n.*"n":2\}\}\n$/);
    program.kill("SIGTERM");
    expect(await program.exited).toMatchObject({ code: 0 });
  });

  test("refuses a time that is none", async () => {
    const { run } = await startStore();
    expect(await run("audit", "export", "--since", "yesterday")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--since must be a time such as"),
    });
  });
});

describe("valinor tenants delete", () => {
  test("asks first, and without a terminal wants --yes", async () => {
    const { store, run } = await startStore();
    await store.createAgent({ tenant: "acme", id: "a", status: "STOPPED", vsockCid: 0, address: "" }, by);
    expect(await run("tenants", "delete", "acme")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--yes"),
    });
    expect(await store.getAgent({ tenant: "acme", id: "a" })).toBeDefined();
  });

  test("deletes all of that tenant and nothing of another, and says how much", async () => {
    const { store, run } = await startStore();
    for (const tenant of ["acme", "blue"])
      for (const id of ["a", "b"])
        await store.createAgent({ tenant, id, status: "STOPPED", vsockCid: 0, address: "" }, by);
    const { code, lines } = await run("tenants", "delete", "acme", "--yes");
    expect({ code, lines }).toEqual({ code: 0, lines: ["deleted 2 agents and 0 API keys of acme"] });
    expect((await store.allAgents({ limit: 10 })).map(({ tenant }) => tenant)).toEqual(["blue", "blue"]);
    const [last] = (await store.listAudit({ after: 0, limit: 100, tenant: "acme" })).slice(-1);
    expect(last).toMatchObject({
      action: "tenant.delete",
      credential: "cli",
      detail: { agents: 2, keys: 0 },
    });
  });
});
