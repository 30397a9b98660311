import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { older } from "../../bin/version.js";
import { configDigest } from "../../protocol/wire/digest.ts";
import { StoreError } from "../../src/store/store.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { DEMO, placeDemoAgent } from "../../dev/demo.ts";
import { explainStartError } from "../../cli/terminal/errors.ts";
import { humanLine } from "../../cli/server/human-log.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { freePort } from "../helpers/ports.ts";
import { startAgentProcess, spawnValinor } from "../helpers/process.ts";
import { startModel } from "../helpers/model.ts";
import { until } from "../helpers/until.ts";

function configFile(text: string): string {
  const file = join(tempDir(), "valinor.yaml");
  writeFileSync(file, text);
  return file;
}

test("serve runs from a file, with flags over it, and ends with 0 on SIGTERM", async () => {
  const model = await startModel();
  const agent = await startAgentProcess({ openclawUrl: model.url, agentId: "a1" });
  const file = configFile(`
server: { port: 1 }
store: { url: "sqlite::memory:" }
agents:
  - { id: a1, address: "${agent.address}" }
`);
  const port = await freePort();
  const valinor = spawnValinor(["serve", "--config", file, "--port", String(port)]);
  await valinor.waitFor(/"msg":"listening"/);
  const res = await fetch(`http://127.0.0.1:${port}/agents/a1/message`, {
    method: "POST",
    body: JSON.stringify({ role: "user", content: "!echo served" }),
  });
  expect(await res.json()).toMatchObject({ content: "served" });
  valinor.kill("SIGTERM");
  expect(await valinor.exited).toEqual({ code: 0, signal: null });
});

test("serve refuses a wrong configuration with exit code 2 and says where it is wrong", async () => {
  const file = configFile("server:\n  port: 70000\n");
  const valinor = spawnValinor(["serve", "--config", file]);
  expect((await valinor.exited).code).toBe(2);
  expect(valinor.stderr()).toContain(`${file}:2: server.port is 70000`);
  expect(valinor.stderr()).not.toMatch(/^ +at /m);
});

test("serve names a taken port", async () => {
  const model = await startModel();
  const port = new URL(model.url).port;
  const valinor = spawnValinor(["serve", "--port", port], { env: { VALINOR_STORE_URL: "sqlite::memory:" } });
  expect((await valinor.exited).code).toBe(1);
  expect(valinor.stderr()).toContain(`port ${port} is taken`);
});

test.each(["serve", "dev"])("%s says in a sentence that its store can't be opened", async (command) => {
  const dir = tempDir();
  // A file where a folder is to be: root may write everywhere else.
  const file = configFile(`store: { url: "sqlite:${dir}/file/valinor.db" }\nserver: { port: 0 }\n`);
  writeFileSync(join(dir, "file"), "");
  mkdirSync(join(dir, "data", "valinor.db"), { recursive: true });
  const flags = command === "serve" ? ["--config", file] : ["--data", join(dir, "data"), "--port", "0"];
  const valinor = spawnValinor([command, ...flags]);
  expect((await valinor.exited).code).toBe(1);
  expect(valinor.stderr()).toContain(`valinor: cannot open the store ${dir}/`);
  expect(valinor.stderr()).toContain("store.url names it");
  expect(valinor.stderr()).not.toMatch(/^ +at /m);
});

test("a store that this user may not open is not taken for a port", () => {
  const denied = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES" });
  const error = new StoreError("unavailable", "cannot open the store /v.db: EACCES", { cause: denied });
  expect(String(explainStartError(error, "control plane", 8080))).toMatch(/store \/v\.db(?!.*port)/s);
  expect(String(explainStartError(denied, "control plane", 80))).toContain("port 80 is not open");
});

test.each([
  ["no command", []],
  ["an unknown command", ["fly"]],
  ["an unknown flag", ["serve", "--fast"]],
  ["a port that is none", ["dev", "--port", "eighty"]],
])("%s is bad usage, exit code 2", async (_name, args) => {
  const valinor = spawnValinor(args);
  expect((await valinor.exited).code).toBe(2);
  expect(valinor.stderr()).not.toBe("");
});

test("--version prints the version", async () => {
  const valinor = spawnValinor(["--version"]);
  expect((await valinor.exited).code).toBe(0);
  expect(valinor.stdout()).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test("valinor agent hands its flags to the agent untouched", async () => {
  const valinor = spawnValinor(["agent", "--help"]);
  expect((await valinor.exited).code).toBe(0);
  expect(valinor.stdout()).toContain("--openclaw-url");
  const misused = spawnValinor(["agent", "--transport", "pigeon"]);
  expect((await misused.exited).code).toBe(2);
});

test("valinor model answers until it is told to stop", async () => {
  const valinor = spawnValinor(["model"]);
  const [, url] = await valinor.waitFor(/listening on (\S+)/);
  expect((await fetch(`${url}/v1/models`)).status).toBe(200);
  valinor.kill("SIGINT");
  expect(await valinor.exited).toEqual({ code: 0, signal: null });
});

test("the demo agent keeps its configuration and context if its port has to change", async () => {
  const path = join(tempDir(), "valinor.db");
  await placeDemoAgent(path, "tcp://127.0.0.1:20001");
  const before = await openSqliteStore(path);
  const policy = { mode: "listed", tools: ["search"] } as const;
  const actor = { subject: "ann", credential: "local" };
  const config = { temperature: 1 };
  const sha256 = configDigest(config, policy);
  await before.putConfig(DEMO, { config, policy, sha256, actor, rollbackOf: 0, expectedRevision: 0 });
  await before.putContext(DEMO, { key: "k", payload: { key: "k", context: "text" } }, actor);
  await before.close();
  await placeDemoAgent(path, "tcp://127.0.0.1:20002");
  const after = await openSqliteStore(path);
  expect(await after.getAgent(DEMO)).toMatchObject({ address: "tcp://127.0.0.1:20002", status: "RUNNING" });
  expect(await after.currentConfig(DEMO)).toMatchObject({
    config: { temperature: 1 },
    policy,
    author: "ann",
  });
  expect(await after.contexts(DEMO)).toMatchObject([{ key: "k", payload: { context: "text" } }]);
  await after.close();
});

test("a log line for people has time, level, source and fields, and no control characters", () => {
  const line = humanLine(
    JSON.stringify({ level: 40, time: 0, name: "agent", msg: "odd\u001b[2J", n: 1, pid: 2 }),
  );
  expect(line).toMatch(/^\d\d:\d\d:\d\d warn {2}agent: odd \[2J n=1\n$/);
  expect(humanLine("plain text")).toMatch(/ info {2}valinor: plain text\n$/);
});

test.each([
  ["20.20.2", "24.18.1", true],
  ["24.9.0", "24.18.1", true],
  ["24.18.1", "24.18.1", false],
  ["26.0.0", "24.18.1", false],
])("Node %s older than %s: %s", (version, than, expected) => {
  expect(older(version, than)).toBe(expected);
});

test("until gives up with the last failure as the cause", async () => {
  const cause = new Error("not yet");
  await expect(until("never", () => Promise.reject(cause), 50)).rejects.toMatchObject({ cause });
});
