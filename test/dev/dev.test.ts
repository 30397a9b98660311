import { execFile } from "node:child_process";
import { readFileSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test, vi } from "vitest";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { isFree } from "../helpers/ports.ts";
import { type Program, spawnProgram, spawnValinor } from "../helpers/process.ts";
import { startModel } from "../helpers/model.ts";
import { until } from "../helpers/until.ts";

// Several programs start in each test: slow where every test of the project runs at the same time.
vi.setConfig({ testTimeout: 60_000 });

const root = join(import.meta.dirname, "../..");
const run = promisify(execFile);

interface Dev {
  program: Program;
  url: string;
  modelUrl: string;
  dir: string;
  agentPort: number;
}

async function ready(program: Program, dir: string): Promise<Dev> {
  onTestFinished(() => program.kill("SIGKILL"));
  const [, url = "", modelUrl = ""] = await program.waitFor(/ready at (\S+), .*model is at (\S+)\.\n/, {
    ms: 25_000,
  });
  await program.waitFor(/Ctrl-C stops everything/);
  return { program, url, modelUrl, dir, agentPort: Number(readFileSync(join(dir, "agent-port"), "utf8")) };
}

function startDev(
  dir = tempDir(),
  env: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<Dev> {
  return ready(spawnValinor(["dev", "--port", "0", "--data", dir, ...flags], { env }), dir);
}

async function call(
  dev: Dev,
  method: string,
  body: object,
): Promise<{ status: number; [key: string]: unknown }> {
  const res = await fetch(`${dev.url}/valinor.v1.${method}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ agentId: "demo", ...body }),
  });
  return { status: res.status, ...((await res.json()) as object) };
}

function say(dev: Dev, content: string): Promise<{ status: number; [key: string]: unknown }> {
  return call(dev, "AgentProxy/SendMessage", { message: { content } });
}

async function stopped(dev: Dev): Promise<void> {
  const ports = [Number(new URL(dev.url).port), Number(new URL(dev.modelUrl).port), dev.agentPort];
  for (const port of ports) await until(`port ${port} is free`, () => isFree(port));
}

test("every command that dev prints works as it stands", async () => {
  const dev = await startDev();
  const commands = [...dev.program.stdout().matchAll(/^ {2}((?:curl|npx) .*)$/gm)].map(
    (match) => match[1] ?? "",
  );
  const answers = await Promise.all(commands.map((command) => run("sh", ["-c", command], { cwd: root })));
  expect(answers).toHaveLength(4);
  const [send, sse, context, stream] = answers.map((answer) => answer.stdout);
  expect(JSON.parse(send ?? "")).toMatchObject({ content: expect.stringContaining('"hello"') });
  expect(sse).toContain("word20");
  expect(sse).toMatch(/event: done\ndata: \{\}\n\n$/);
  expect(JSON.parse(context ?? "")).toEqual({ applied: true });
  expect(stream).toContain('"text": "word1"');
  expect(stream).toContain('"finishReason": "stop"');
  // A terminal that is closed ends what was started in it.
  dev.program.kill("SIGHUP");
  expect(await dev.program.exited).toEqual({ code: 0, signal: null });
});

test("SIGTERM ends control plane, agent and model, streams under way included, within 10 s", async () => {
  const dev = await startDev();
  const streaming = fetch(`${dev.url}/agents/demo/stream?message={"content":"!words 2 !stall 60"}`);
  expect((await streaming).status).toBe(200);
  const asked = performance.now();
  dev.program.kill("SIGTERM");
  expect(await dev.program.exited).toEqual({ code: 0, signal: null });
  expect(performance.now() - asked).toBeLessThan(10_000);
  await stopped(dev);
});

test("SIGTERM to npm alone ends everything that npm start began", async () => {
  const dir = tempDir();
  const npm = spawnProgram("npm", ["start", "--", "--port", "0", "--data", dir], { cwd: root });
  const dev = await ready(npm, dir);
  npm.kill("SIGTERM");
  await npm.exited;
  await expect(stopped(dev)).resolves.toBeUndefined();
});

test("an agent outlives neither a killed dev nor its data directory's lock", async () => {
  const dev = await startDev();
  dev.program.kill("SIGKILL");
  await dev.program.exited;
  await stopped(dev);
  const again = await startDev(dev.dir);
  expect(await say(again, "!echo back again")).toMatchObject({ status: 200, content: "back again" });
});

test("an agent that dies is started again at the same address", async () => {
  const dev = await startDev();
  const started = /the agent runs as process (\d+)/g;
  const [, pid] = await dev.program.waitFor(/the agent runs as process (\d+)/, { of: "stderr" });
  expect(await say(dev, "!echo one")).toMatchObject({ content: "one" });
  process.kill(Number(pid), "SIGKILL");
  await until("a second agent", () => [...dev.program.stderr().matchAll(started)].length === 2);
  const answer = await until("an answer", async () => {
    const again = await say(dev, "!echo two");
    return again.status === 200 ? again : undefined;
  });
  expect(answer["content"]).toBe("two");
});

test("configuration and address stay over a restart", async () => {
  const first = await startDev();
  const pushed = await call(first, "AgentProxy/PushConfig", { config: { temperature: 0.5 } });
  expect(pushed).toMatchObject({ revision: 2, applied: true });
  first.program.kill("SIGTERM");
  await first.program.exited;
  const second = await startDev(first.dir);
  expect(second.agentPort).toBe(first.agentPort);
  expect(await call(second, "AgentRegistry/GetAgent", {})).toMatchObject({
    agent: { address: `tcp://127.0.0.1:${first.agentPort}`, configRevision: 2 },
  });
});

test("the data directory is its owner's alone, and one dev has it at a time", async () => {
  const dev = await startDev();
  expect(statSync(dev.dir).mode & 0o777).toBe(0o700);
  expect(statSync(join(dev.dir, "link-token")).mode & 0o777).toBe(0o600);
  const other = spawnValinor(["dev", "--port", "0", "--data", dev.dir]);
  expect((await other.exited).code).toBe(1);
  expect(other.stderr()).toContain("another valinor dev uses");
});

test("with OPENCLAW_URL the agent talks to that server, told of what kind it is, and no scripted model is started", async () => {
  const model = await startModel();
  const dev = await startDev(tempDir(), { OPENCLAW_URL: model.url }, ["--server-kind", "openai"]);
  expect(dev.modelUrl).toBe(model.url);
  expect(await say(dev, "!echo from outside")).toMatchObject({ content: "from outside" });
  const known = { openclawKind: "plain", openclawKindReason: "told by --server-kind" };
  expect(await call(dev, "AgentProxy/GetAgentStatus", {})).toMatchObject(known);
  expect(model.calls).toBe(1);
});

test("a taken port is named, with what to do, and nothing is left running", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  afterFile(() => void holder.close());
  const address = holder.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const dir = tempDir();
  const dev = spawnValinor(["dev", "--port", String(port), "--data", dir]);
  expect((await dev.exited).code).toBe(1);
  expect(dev.stderr()).toMatch(new RegExp(`port ${port} is taken.*--port`));
  const agentPort = Number(readFileSync(join(dir, "agent-port"), "utf8"));
  await until("the agent is gone", () => isFree(agentPort));
});
