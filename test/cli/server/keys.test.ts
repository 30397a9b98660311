import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { API_KEY_PATTERN } from "../../../src/auth/api-key.ts";
import { keysCreate, keysRevoke } from "../../../cli/server/keys.ts";
import { formatTable } from "../../../cli/terminal/table.ts";
import { tenantsDelete } from "../../../cli/server/tenants.ts";
import { openSqliteStore } from "../../../src/store/sqlite/sqlite.ts";
import { tempDir } from "../../helpers/cleanup.ts";
import { runValinor, spawnValinor } from "../../helpers/process.ts";

const run = (...args: string[]) => runValinor(args);

/** Runs a server on a configuration file, and answers its address. */
async function serve(config: string): Promise<string> {
  const server = spawnValinor(["serve", "--config", config, "--port", "0"]);
  const [, url] = await server.waitFor(/"url":"(http:[^"]+)"/);
  if (url === undefined) throw new Error("the server names no address");
  return url;
}

const statusOf = async (url: string, credential: string): Promise<number> =>
  (await fetch(`${url}/agents`, { headers: { authorization: `Bearer ${credential}` } })).status;

describe("valinor keys", () => {
  it("take no store that is not there for an empty one, but make it for the first key", async () => {
    const file = join(tempDir(), "v.db");
    const env = { VALINOR_STORE_URL: `sqlite:${file}` };
    await expect(keysRevoke("3fQ9cA0xTz1B", {}, env)).rejects.toThrow(
      `there is no store ${file}: name the server's`,
    );
    await expect(tenantsDelete("acme", { yes: true }, env)).rejects.toThrow(`there is no store ${file}`);
    expect(existsSync(file)).toBe(false);
    const made = spawnValinor(["keys", "create", "--tenant", "acme", "--subject", "ci", "--role", "viewer"], {
      env,
    });
    expect((await made.exited).code).toBe(0);
    expect(existsSync(file)).toBe(true);
  });

  it("makes a key that a running server takes, lists it without its secret, and revokes it", async () => {
    const dir = tempDir();
    const config = join(dir, "valinor.yaml");
    writeFileSync(config, `auth:\n  api_keys: true\nstore:\n  url: sqlite:${dir}/v.db\n`);
    const url = await serve(config);

    const make = async () => {
      const scope = ["--tenant", "acme", "--subject", "ci", "--role", "viewer", "--expires", "30d"];
      const made = await run("keys", "create", ...scope, "--config", config);
      expect(made.code).toBe(0);
      const key = made.stdout.trimEnd();
      expect(key).toMatch(API_KEY_PATTERN);
      const id = key.split("_")[1] ?? "";
      expect(made.stderr).toContain(`valinor keys revoke --config ${config} ${id}`);
      expect(made.stderr).not.toContain(key);
      return { key, id };
    };
    const [{ key, id }, { key: second, id: secondId }] = await Promise.all([make(), make()]);
    expect(await statusOf(url, key)).toBe(200);

    // By the whole key, as someone has it who found it leaked; it is not repeated.
    const revoked = await run("keys", "revoke", second, "--config", config);
    expect([revoked.code, revoked.stdout]).toEqual([0, ""]);
    expect(revoked.stderr).not.toContain(second);
    expect(await statusOf(url, second)).toBe(401);
    await expect(keysRevoke(secondId, { config }, {})).rejects.toThrow(`no valid key ${secondId}`);

    const [table, listed] = await Promise.all([
      run("keys", "list", "--config", config),
      run("keys", "list", "--tenant", "acme", "-o", "json", "--config", config),
    ]);
    expect(table.stdout).toMatch(/^ID .*\n/);
    expect(table.stdout).toMatch(new RegExp(`\n${id} +acme +ci +agents:read +valid `));
    expect(table.stdout).toMatch(new RegExp(`\n${secondId} +acme +ci +agents:read +revoked `));
    const states = (JSON.parse(listed.stdout) as { id: string; state: string }[]).map((each) => [
      each.id,
      each.state,
    ]);
    expect(Object.fromEntries(states)).toEqual({ [id]: "valid", [secondId]: "revoked" });
    for (const { stdout } of [table, listed]) expect(stdout).not.toContain(key.slice(17));

    const store = await openSqliteStore(join(dir, "v.db"));
    const audit = await store.listAudit({ after: 0, limit: 100 });
    await store.close();
    const keyed = audit.filter(({ action }) => action.startsWith("key."));
    expect(keyed.map(({ action, tenant, credential }) => [action, tenant, credential])).toEqual([
      ["key.create", "acme", "cli"],
      ["key.create", "acme", "cli"],
      ["key.revoke", "acme", "cli"],
    ]);
    expect(JSON.stringify(audit)).not.toContain(key.slice(17));
  });

  const good = { tenant: "acme", subject: "s", role: "admin" };
  const { role: _, ...roleless } = good;
  it.each([
    [{ ...good, tenant: "../x" }, /--tenant/],
    [{ ...good, subject: "" }, /--subject/],
    [roleless, /--role/],
    [{ ...good, permissions: "agents:read" }, /--role/],
    [{ ...good, role: "root" }, /viewer, operator, admin, platform/],
    [{ ...roleless, permissions: "agents:read,all" }, /--permissions/],
    [{ ...good, expires: "soon" }, /--expires/],
  ])("create %j is refused, and says why", async (options, text) => {
    const refused = await keysCreate(options, {}).catch((error: unknown) => error);
    expect(refused).toMatchObject({ exitCode: 2, message: expect.stringMatching(text) });
  });

  it("lists in columns", () => {
    expect(
      formatTable([
        ["A", "LONG", "X"],
        ["aaa", "b", ""],
      ]),
    ).toBe("A    LONG  X\naaa  b\n");
  });
});

describe("valinor token", () => {
  it("signs a token that a server takes which has the lines that it prints, time and again", async () => {
    const dir = tempDir();
    const sign = (role: string) =>
      run("token", "--tenant", "acme", "--subject", "ann", "--role", role, "--dir", join(dir, "auth"));
    const first = await sign("viewer");
    const lines = first.stderr.slice(first.stderr.indexOf("auth:"));
    const config = join(dir, "valinor.yaml");
    writeFileSync(config, `${lines}store:\n  url: sqlite:${dir}/v.db\n`);
    const url = await serve(config);
    const second = await sign("nobody");

    expect(await statusOf(url, first.stdout.trimEnd())).toBe(200);
    expect(await statusOf(url, second.stdout.trimEnd())).toBe(403);
    expect(await statusOf(url, `${first.stdout.trimEnd()}x`)).toBe(401);
    expect(statSync(join(dir, "auth", "private-key.json")).mode & 0o777).toBe(0o600);
    const published = JSON.parse(readFileSync(join(dir, "auth", "jwks.json"), "utf8")) as { keys: object[] };
    expect(published.keys).toHaveLength(1);
    expect(published.keys[0]).not.toHaveProperty("d");
  });
});
