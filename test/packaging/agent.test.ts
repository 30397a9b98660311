import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { startModel as startFakeModel } from "../agent/fake-model.ts";
import { collect } from "../e2e/collect.ts";
import { type Stack, startStack } from "../e2e/stack.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { type Program, spawnProgram } from "../helpers/process.ts";
import { artefacts } from "./build.ts";

const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8")) as {
  version: string;
};

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

describe("the single executable", () => {
  it("is at most 120 MB, if symbols can be stripped", () => {
    const [file] = artefacts["the single executable"].files;
    expect(statSync(file).size).toBeLessThan(120e6);
  });
});

describe.each(Object.entries(artefacts))("%s", (kind, { command, files }) => {
  // In a directory of its own: what it needed beside itself it would not find.
  const away = tempDir();
  const [program = "", ...rest] = command.map((part) => {
    const file = files.find((name) => name === part);
    if (file === undefined) return part;
    const copy = join(away, basename(file));
    copyFileSync(file, copy);
    return copy;
  });
  const run = (args: readonly string[], env: Record<string, string> = {}): Program =>
    spawnProgram(program, [...rest, ...args], { cwd: away, env });

  /** Starts it on loopback, registered as an agent; resolves with its program. */
  async function start(id: string, openclawUrl: string, args: readonly string[] = []): Promise<Program> {
    const flags = ["--transport", "tcp", "--port", "0", "--insecure", "--agent-id", id];
    const started = run([...flags, "--openclaw-url", openclawUrl, "--state-dir", tempDir(), ...args]);
    const [, address = ""] = await started.waitFor(/valinor-agent listening on (\S+)/);
    await stack.registry.createAgent({ agent: { id, address } });
    return started;
  }

  const id = kind.replaceAll(" ", "-");

  it("tells its flags and its version", async () => {
    const help = run(["--help"]);
    expect(await help.exited).toEqual({ code: 0, signal: null });
    expect(help.stdout()).toContain("--openclaw-url URL");
    const told = run(["--version"]);
    expect(await told.exited).toEqual({ code: 0, signal: null });
    expect(told.stdout()).toBe(`${version}\n`);
  });

  it("refuses flags that it does not know with status 2", async () => {
    const refused = run(["--no-such-flag"]);
    expect(await refused.exited).toEqual({ code: 2, signal: null });
    expect(refused.stderr()).toContain("--no-such-flag");
  });

  it("answers through the control plane, whole and as a stream", async () => {
    const agent = await start(`${id}-answers`, stack.model.url);
    for (const text of ["one", "two"]) {
      const message = { content: `!echo ${text}` };
      const { content } = await stack.proxy.sendMessage({ agentId: `${id}-answers`, message });
      expect(content).toContain(text);
    }
    const long = await collect(
      stack.proxy.stream({ agentId: `${id}-answers`, message: { content: "!words 500" } }),
    );
    expect(long.sequences).toHaveLength(501);
    expect(agent.stderr()).not.toContain("Warning");
  });

  it("reaches the gateway of a real OpenClaw", async () => {
    const model = await startFakeModel();
    afterFile(() => model.close());
    model.ready = 200;
    model.gateway.tools = ["read"];
    await start(`${id}-gateway`, model.url);
    const pushed = await stack.proxy.pushConfig({ agentId: `${id}-gateway`, config: {} });
    expect(pushed).toMatchObject({ applied: true, reason: "" });
    expect(model.gateway.count("connect")).toBeGreaterThan(0);
  });

  it("lets a run finish on SIGTERM, and ends with 0", async () => {
    const agent = await start(`${id}-drains`, stack.model.url);
    const answer = await collect(
      stack.proxy.stream({ agentId: `${id}-drains`, message: { content: "!pace 10 !words 50" } }),
      ({ sequence }) => sequence === 5 && agent.kill("SIGTERM"),
    );
    expect(answer.sequences).toHaveLength(51);
    expect(await agent.exited).toEqual({ code: 0, signal: null });
  });
});

describe("the single executable", () => {
  it("does not listen to NODE_OPTIONS, which is OpenClaw's", async () => {
    const [program] = artefacts["the single executable"].command;
    const told = spawnProgram(program, ["--version"], { env: { NODE_OPTIONS: "--no-such-option" } });
    expect(await told.exited).toEqual({ code: 0, signal: null });
  });

  it("takes its code cache, which was made with the options of V8 that it runs with", () => {
    const [program] = artefacts["the single executable"].command;
    const { stdout, stderr } = spawnSync(program, ["--version"], { encoding: "utf8" });
    expect([stdout, stderr]).toEqual([`${version}\n`, ""]);
  });
});
