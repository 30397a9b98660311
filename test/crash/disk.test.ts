import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { startStack } from "../e2e/stack.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { fillDisk, missingMounts, type Mounts, startMounts } from "../helpers/mounts.ts";
import { occurrences } from "../helpers/occurrences.ts";
import type { Program } from "../helpers/process.ts";
import { until } from "../helpers/until.ts";

const missing = missingMounts();
if (missing !== undefined)
  process.stderr.write(`The tests on full and read-only disks are skipped: ${missing}.\n`);

const valinor = join(import.meta.dirname, "../../bin/valinor.js");
const valinorAgent = join(import.meta.dirname, "../../bin/valinor-agent.js");

/** `valinor serve` on a store in that folder, and its clients. */
async function serve(mounts: Mounts, data: string) {
  const program = mounts.run(process.execPath, [valinor, "serve", "--port", "0"], {
    VALINOR_STORE_URL: `sqlite:${data}/valinor.db`,
    VALINOR_PROXY_CONFIG_TIMEOUT: "0.01",
    VALINOR_SERVER_DRAIN_SECONDS: "0",
  });
  const [, url = ""] = await program.waitFor(/"url":"([^"]+)".*"msg":"listening"/);
  const transport = createConnectTransport({ baseUrl: url, httpVersion: "1.1" });
  return {
    program,
    url,
    registry: createClient(AgentRegistry, transport),
    proxy: createClient(AgentProxy, transport),
  };
}

/** Lines of the log with that message. */
function lines(program: Program, message: string): Record<string, unknown>[] {
  return program
    .stdout()
    .split("\n")
    .filter((line) => line.includes(`"msg":"${message}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

const MIB = 1024 * 1024;
const CANARY = "CANARY-of-a-deleted-agent ";

describe.skipIf(missing !== undefined)(`A control plane ${missing ?? ""}`, () => {
  test("whose root file system is read-only, with one data volume and no temporary folder, wipes what was deleted", async () => {
    const data = tempDir();
    const mounts = await startMounts(`
      mount --bind ${data} ${data}
      mount -o remount,bind,ro /
      mount -t tmpfs -o ro tmpfs /dev/shm
      for folder in / /tmp /var/tmp /dev/shm; do
        if touch $folder/valinor-x 2>/dev/null; then echo "$folder can be written to"; exit 1; fi
      done`);
    const { program, registry, proxy } = await serve(mounts, data);
    // What stays is more than SQLite keeps in its cache while it rebuilds the file.
    for (const id of ["a", "kept"]) {
      await registry.createAgent({ agent: { id } });
      const text = (id === "a" ? CANARY : "another text ").repeat(35_000);
      for (let n = 0; n < 20; n++) await proxy.pushConfig({ agentId: id, config: { text, n } });
    }
    expect(occurrences(data, CANARY)).toBeGreaterThan(500_000);
    await registry.deleteAgent({ agentId: "a" });
    // The log is emptied; then the note that nothing is left to be wiped goes into it, which is one page.
    const isWiped = () =>
      statSync(join(data, "valinor.db-wal")).size < 10_000 && occurrences(data, CANARY) === 0;
    await until("nothing of it is left", isWiped, 60_000);
    expect(lines(program, "the store fails")).toEqual([]);
    expect((await registry.getAgent({ agentId: "kept" })).agent?.id).toBe("kept");
  });

  test("whose disk is full says so to clients and in its log, loses nothing, and goes on once there is room", async () => {
    const data = tempDir();
    const mounts = await startMounts(`mount -t tmpfs -o size=24m tmpfs ${data}`);
    const inside = mounts.outside(data);
    const ballast = join(inside, "ballast");
    writeFileSync(ballast, Buffer.alloc(19 * MIB));
    const first = await serve(mounts, data);
    await first.registry.createAgent({ agent: { id: "a" } });
    let acknowledged = 1;
    const push = async (proxy = first.proxy): Promise<string> => {
      const text = String(Math.random()).repeat(10_000);
      try {
        acknowledged = (await proxy.pushConfig({ agentId: "a", config: { text } })).revision;
        return "";
      } catch (error) {
        return ConnectError.from(error).message;
      }
    };
    let message = "";
    for (let n = 0; message === "" && n < 200; n++) message = await push();
    expect(message).toContain("the store's disk is full, and nothing was changed");
    const full = acknowledged;
    for (let n = 0; n < 30; n++) expect(await push()).toContain("disk is full");
    const told = await until("the log says so", () => {
      const found = lines(first.program, "the store fails");
      return found.length > 0 ? found : undefined;
    });
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({
      store: "write",
      detail: expect.stringMatching(/no room left on its disk: make room/),
    });
    // What needs no room goes on.
    expect((await first.registry.getAgent({ agentId: "a" })).agent?.configRevision).toBe(full);
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200);

    rmSync(ballast);
    expect(await push()).toBe("");
    await until("the log says that too", () => lines(first.program, "the store works again").length > 0);
    expect(acknowledged).toBe(full + 1);

    first.program.kill("SIGKILL");
    await first.program.exited;
    const second = await serve(mounts, data);
    expect((await second.registry.getAgent({ agentId: "a" })).agent?.configRevision).toBe(acknowledged);
    const { revisions } = await second.registry.listConfigRevisions({ agentId: "a", pageSize: 100 });
    expect(revisions[0]?.revision).toBe(acknowledged);
    expect(await push(second.proxy)).toBe("");
  });

  test("says why it does not wipe what was deleted while its disk is full, and does it later", async () => {
    const data = tempDir();
    const mounts = await startMounts(`mount -t tmpfs -o size=64m tmpfs ${data}`);
    const inside = mounts.outside(data);
    const ballast = join(inside, "ballast");
    const { program, registry, proxy } = await serve(mounts, data);
    for (const [id, revisions] of [
      ["a", 3],
      ["kept", 60],
    ] as const) {
      await registry.createAgent({ agent: { id } });
      const text = (id === "a" ? CANARY : "another text ").repeat(20_000);
      for (let n = 0; n < revisions; n++) await proxy.pushConfig({ agentId: id, config: { text, n } });
    }
    // Room to delete, and none to rebuild.
    const used = readdirSync(inside).reduce(
      (sum, name) => sum + statSync(join(inside, name)).blocks * 512,
      0,
    );
    writeFileSync(ballast, Buffer.alloc(60 * MIB - used));
    await registry.deleteAgent({ agentId: "a" });
    const [line] = await until("the log says so", () => {
      const found = lines(program, "the store fails");
      return found.length > 0 ? found : undefined;
    });
    expect(line).toMatchObject({
      store: "wipe",
      detail: expect.stringContaining("database or disk is full"),
    });
    rmSync(ballast);
    await until("nothing of it is left", () => occurrences(inside, CANARY) === 0, 30_000);
    await until("the log says that too", () => lines(program, "the store works again").length > 0);
  });
});

describe.skipIf(missing !== undefined)(`An agent ${missing ?? ""}`, () => {
  test("whose disk is full refuses messages without asking the model, and takes them once there is room", async () => {
    const state = tempDir();
    const mounts = await startMounts(`mount -t tmpfs -o size=1m tmpfs ${state}`);
    const ballast = join(mounts.outside(state), "ballast");
    const model = await startModel({ record: 1_000 });
    const stack = await startStack();
    const flags = "--transport tcp --host 127.0.0.1 --port 0 --insecure --agent-id full".split(" ");
    const places = ["--openclaw-url", model.url, "--state-dir", `${state}/agent`];
    const program = mounts.run(process.execPath, [valinorAgent, ...flags, ...places]);
    const [, address = ""] = await program.waitFor(/valinor-agent listening on (\S+)/);
    await stack.registry.createAgent({ agent: { id: "full", address } });
    const send = (requestId: string) =>
      stack.proxy.sendMessage({ agentId: "full", message: { content: "!echo hello" }, requestId });
    expect((await send("first")).content).toContain("hello");
    fillDisk(ballast);
    const before = model.requests.length;
    let refused = 0;
    for (let n = 0; n < 200; n++) {
      const error = await send(`full-${n}`).then(
        () => undefined,
        (thrown: unknown) => ConnectError.from(thrown),
      );
      if (error === undefined) continue;
      refused++;
      expect(error.message).toContain("the request could not be recorded");
    }
    expect(refused).toBeGreaterThan(0);
    expect(model.requests.length - before).toBe(200 - refused);
    expect(program.stderr()).toContain("no space left on device");
    rmSync(ballast);
    expect((await send("after")).content).toContain("hello");
    // What was answered before is not asked of the model again.
    const asked = model.requests.length;
    expect((await send("first")).content).toContain("hello");
    expect(model.requests.length).toBe(asked);
  });
});
