import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startAgentProcess } from "../../helpers/process.ts";
import { startModel } from "../fake-model.ts";
import { launch, letIn, setup, temporaryDir, userSays } from "../setup.ts";

async function model() {
  const started = await startModel();
  onTestFinished(() => started.close());
  return started;
}

/** A path that no directory can be made at. */
function unusable(): string {
  const file = join(temporaryDir(), "file");
  writeFileSync(file, "");
  return join(file, "state");
}

describe("a state directory", () => {
  it("is one agent's alone: another one does not start", async () => {
    const server = await model();
    const stateDir = temporaryDir();
    const first = await launch(server, { stateDir });
    await expect(launch(server, { stateDir })).rejects.toThrow(/another agent uses .*--state-dir of its own/);
    await expect(launch(server, { stateDir, stateDirByDefault: true })).rejects.toThrow("another agent uses");
    await first.close();
    const second = await launch(server, { stateDir });
    second.kill();
    await launch(server, { stateDir });
  });

  it("is free again when the agent's process was killed", async () => {
    const server = await model();
    const stateDir = temporaryDir();
    const program = await startAgentProcess({ openclawUrl: server.url, stateDir });
    await expect(launch(server, { stateDir })).rejects.toThrow("another agent uses");
    program.kill("SIGKILL");
    await program.exited;
    await launch(server, { stateDir });
  });

  it("is made, for its owner alone, and told in heartbeats", async () => {
    const server = await model();
    const stateDir = join(temporaryDir(), "var", "state");
    const agent = await launch(server, { stateDir, stateDirByDefault: true });
    expect(statSync(stateDir).mode & 0o777).toBe(0o700);
    const host = await letIn(agent);
    expect(await host.ask("ping", {})).toMatchObject({ type: "pong" });
    host.message(userSays("hi"));
    expect(await host.status("running")).toMatchObject({ remembers: "disk" });
  });

  it("that was asked for and cannot be used keeps the agent from starting", async () => {
    const server = await model();
    await expect(launch(server, { stateDir: unusable() })).rejects.toThrow("ENOTDIR");
  });
});

describe("an agent without a state directory", () => {
  it.each([
    ["as nobody gave it one", () => ({})],
    ["as the default one cannot be used", () => ({ stateDir: unusable(), stateDirByDefault: true })],
  ])("%s says so, loudly, and serves", async (_, options) => {
    const { host, model: server, logged } = await setup(options());
    const warning = logged.map((line) => JSON.parse(line) as object).find((line) => "effect" in line);
    expect(warning).toMatchObject({
      level: "warn",
      event: "no_state_dir",
      effect: "after a restart of the agent a request that it has taken runs again",
      hint: "give it --state-dir",
    });
    host.message(userSays("hi", { request_id: "r" }));
    expect(await host.status("running")).toMatchObject({ remembers: "memory" });
    await server.next();
  });
});
