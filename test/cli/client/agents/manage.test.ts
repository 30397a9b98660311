import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { allAgents } from "../../../../cli/client/agents/agents.ts";
import { withServer } from "../../../../cli/client/session.ts";
import { startStack, startTestAgent } from "../../../e2e/stack.ts";
import { tempDir } from "../../../helpers/cleanup.ts";
import { freePort } from "../../../helpers/ports.ts";
import { startValinor, valinor } from "../run-command.ts";

const stack = await startStack();

describe("valinor agents", () => {
  it("creates, changes, lists and deletes agents", async () => {
    const address = `tcp://127.0.0.1:${await freePort()}`;
    const created = await valinor(stack.url, [
      "agents",
      "create",
      "a1",
      "--address",
      address,
      "--status",
      "stopped",
    ]);
    expect(created).toMatchObject({ code: 0, stdout: `created a1: STOPPED, ${address}\n` });
    const changed = await valinor(stack.url, ["agents", "set", "a1", "--status", "running", "-o", "json"]);
    expect(JSON.parse(changed.stdout)).toMatchObject({ id: "a1", status: "AGENT_STATUS_RUNNING", address });
    const [table, json] = await Promise.all([
      valinor(stack.url, ["agents", "ls"]),
      valinor(stack.url, ["agents", "ls", "--filter", "id = a1*", "-o", "json"]),
    ]);
    expect(table.stdout).toMatch(/^ID +STATUS +LINK +CONFIG .*\n/);
    expect(table.stdout).toMatch(/\ndemo +RUNNING +up +1 applied +ready +0 +tcp:/);
    expect(table.stdout).toMatch(/\na1 +RUNNING +down .*ECONNREFUSED/);
    expect((JSON.parse(json.stdout) as { id: string }[]).map(({ id }) => id)).toEqual(["a1"]);
    const asked = await valinor(stack.url, ["agents", "rm", "a1"]);
    expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining("--yes") });
    expect(await valinor(stack.url, ["agents", "rm", "a1", "--yes"])).toMatchObject({ code: 0 });
    expect((await valinor(stack.url, ["agents", "rm", "a1", "--yes"])).code).toBe(4);
  });

  it("lists all pages", async () => {
    await Promise.all(
      Array.from({ length: 30 }, (_, at) =>
        stack.registry.createAgent({ agent: { id: `many-${String(at).padStart(2, "0")}`, status: 3 } }),
      ),
    );
    await withServer({ server: stack.url }, {}, async (session) => {
      const { listAgents } = session.client.agents;
      // Servers may give less than was asked for.
      const agents = {
        ...session.client.agents,
        listAgents: (request: object, options?: object) => listAgents({ ...request, pageSize: 7 }, options),
      };
      const ids = (await allAgents({ ...session, client: { ...session.client, agents } }, "id = many-*")).map(
        ({ id }) => id,
      );
      expect(ids).toHaveLength(30);
      expect(new Set(ids).size).toBe(30);
    });
  });

  it("watches agents come, change and go until Ctrl-C, as lines or as JSON", async () => {
    const lines = startValinor(stack.url, ["agents", "watch"]);
    const json = startValinor(stack.url, ["agents", "watch", "-o", "json"]);
    await Promise.all([lines.shows(/there +demo +RUNNING +up/), json.shows(/"id":"demo"/)]);
    await stack.registry.createAgent({ agent: { id: "w1", status: 3 } });
    await Promise.all([
      lines.shows(/changed +w1 +STOPPED/),
      json.shows(/"event":"agent","agent":\{"id":"w1"/),
    ]);
    await stack.registry.deleteAgent({ agentId: "w1" });
    await Promise.all([lines.shows(/deleted +w1\n/), json.shows(/\{"event":"deleted","id":"w1"\}\n/)]);
    lines.kill("SIGINT");
    json.kill("SIGINT");
    expect((await lines.ended).code).toBe(130);
    const { code, stdout } = await json.ended;
    expect(code).toBe(130);
    const events = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as object);
    expect(events[0]).toEqual({ event: "connected" });
  });
});

describe("valinor config", () => {
  it("pushes a file, keeps the tools unless told otherwise, and rolls back", async () => {
    await stack.addAgent("c1");
    const file = join(tempDir(), "config.yaml");
    writeFileSync(file, "# cold\ntemperature: 0.2\n");
    const pushed = await valinor(stack.url, ["config", "push", "c1", file, "--tools", "search, read"]);
    expect(pushed).toEqual({ code: 0, stdout: "revision 2 is applied\n", stderr: "" });
    const again = await valinor(stack.url, ["config", "push", "c1", "-", "-o", "json"], {
      input: '{"temperature": 1}',
    });
    expect(JSON.parse(again.stdout)).toEqual({ agent_id: "c1", revision: 3, applied: true, reason: "" });
    const got = await valinor(stack.url, ["config", "get", "c1"]);
    expect(got).toMatchObject({ code: 0, stdout: "temperature: 1\n" });
    expect(got.stderr).toMatch(/^# revision 3 by local at .*; tools: search,read; applied\n$/);
    expect((await valinor(stack.url, ["config", "rollback", "c1", "1"])).stdout).toBe(
      "revision 4 is applied\n",
    );
    const [history, old] = await Promise.all([
      valinor(stack.url, ["config", "history", "c1"]),
      valinor(stack.url, ["config", "get", "c1", "--revision", "2", "-o", "json"]),
    ]);
    expect(history.stdout).toMatch(
      /^REVISION .*\n4 .* all +applied +back to 1; .*\n3 .* search,read +applied .*\n2 /,
    );
    expect(JSON.parse(old.stdout)).toMatchObject({ revision: 2, config: { temperature: 0.2 } });
    const gone = await valinor(stack.url, ["config", "get", "c1", "--revision", "77"]);
    expect(gone).toMatchObject({ code: 4, stdout: "" });
    const conflict = await valinor(stack.url, ["config", "push", "c1", file, "--expected-revision", "2"]);
    expect(conflict).toMatchObject({ code: 1, stderr: expect.stringContaining("REVISION_CONFLICT") });
  });

  it("says what is stored and not applied, with exit code 3", async () => {
    await stack.addAgent("c2");
    const refused = await valinor(stack.url, ["config", "push", "c2", "-"], { input: "temperature: hot\n" });
    expect(refused).toMatchObject({ code: 3, stdout: "" });
    expect(refused.stderr).toMatch(
      /^valinor: revision 2 is stored, and c2 has not applied it: .*temperature/,
    );
    await stack.registry.createAgent({
      agent: { id: "away", address: `tcp://127.0.0.1:${await freePort()}` },
    });
    const away = await valinor(stack.url, ["config", "push", "away", "-", "--timeout", "1", "-o", "json"], {
      input: "{}",
    });
    expect(away.code).toBe(3);
    expect(JSON.parse(away.stdout)).toMatchObject({ revision: 2, applied: false });
  });

  it("waits, and says for what, until an agent that was away has it", async () => {
    const port = await freePort();
    await stack.registry.createAgent({ agent: { id: "late", address: `tcp://127.0.0.1:${port}` } });
    const running = startValinor(stack.url, ["config", "push", "late", "-"]);
    running.write("temperature: 0.5\n");
    running.end();
    await running.shows(/waiting for late to apply revision 2 \(.*ECONNREFUSED.*\) \.\.\.\n/);
    const agent = await startTestAgent("late", stack.model.url);
    await stack.registry.updateAgent({ agent: { id: "late", address: agent.address } });
    expect(await running.ended).toMatchObject({ code: 0, stdout: "revision 2 is applied\n" });
  });
});

describe("valinor context and status", () => {
  it("push a context that the agent sees, and tell how it is", async () => {
    await stack.addAgent("x1");
    const pushed = await valinor(stack.url, ["context", "push", "x1", "--key", "who"], {
      input: "Talk to Ann.\n",
    });
    expect(pushed).toEqual({ code: 0, stdout: "the context who is applied\n", stderr: "" });
    const [table, json] = await Promise.all([
      valinor(stack.url, ["status", "x1"]),
      valinor(stack.url, ["status", "x1", "-o", "json"]),
    ]);
    expect(table.stdout).toMatch(/^agent +x1\nstatus +RUNNING\nlink +up, protocol 2\n/);
    expect(JSON.parse(json.stdout)).toMatchObject({
      agent_id: "x1",
      connected: true,
      config_state: "CONFIG_STATE_APPLIED",
    });
  });
});
