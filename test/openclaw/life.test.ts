import { beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { startAgent } from "../../agent/agent.ts";
import { createLog } from "../../agent/log.ts";
import { collect, upTo } from "../e2e/collect.ts";
import { configUpdate, letIn } from "../agent/setup.ts";
import { rpcFailureOf } from "../helpers/failures.ts";
import { missing, type RealStack, startRealStack } from "./stack.ts";

let stack: RealStack;

const status = () => stack.proxy.getAgentStatus({ agentId: "demo" });

/** Milliseconds from asking to the first text. */
async function firstTextMs(): Promise<number> {
  const startedAt = performance.now();
  let first = 0;
  await collect(stack.proxy.stream({ agentId: "demo", message: { content: "!words 3" } }), ({ event }) => {
    if (event.case === "textDelta" && first === 0) first = performance.now() - startedAt;
  });
  return first;
}

describe.skipIf(missing() !== undefined)("a real OpenClaw", () => {
  beforeAll(async () => {
    stack = await startRealStack(100);
    const first = await firstTextMs();
    const later = [await firstTextMs(), await firstTextMs(), await firstTextMs()].toSorted((a, b) => a - b);
    const pushes: number[] = [];
    for (const tools of [["read"], ["exec"], undefined]) {
      const startedAt = performance.now();
      await stack.push({}, tools);
      pushes.push(performance.now() - startedAt);
    }
    const whole = (ms: number | undefined) => `${Math.round(ms ?? 0)} ms`;
    process.stderr.write(
      `OpenClaw: boot ${whole(stack.gateway.bootMs)}, first text ${whole(first)}, later ${whole(later[1])}, ` +
        `config in force ${pushes.map(whole).join(", ")}\n`,
    );
  });

  it("streams its answer in order, with finish reason and usage", async () => {
    let usage = 0;
    const { text, sequences, finishReason } = await collect(
      stack.proxy.stream({ agentId: "demo", message: { content: "!pace 5 !words 30" } }),
      ({ event }) => {
        if (event.case === "done") usage = event.value.usage?.totalTokens ?? 0;
      },
    );
    expect(text).toBe(
      upTo(30)
        .map((n) => `word${n}`)
        .join(" "),
    );
    expect(sequences).toEqual(upTo(sequences.length));
    expect(finishReason).toBe("stop");
    expect(usage).toBeGreaterThan(0);
  });

  it("stops its model call when the run is cancelled", async () => {
    const requestId = crypto.randomUUID();
    const { aborted } = stack.model;
    const running = Promise.withResolvers<void>();
    const message = { content: "!pace 20 !words 2000" };
    const reading = rpcFailureOf(
      collect(stack.proxy.stream({ agentId: "demo", requestId, message }), ({ sequence }) => {
        if (sequence === 3) running.resolve();
      }),
    );
    await running.promise;
    expect(await stack.proxy.cancelMessage({ agentId: "demo", requestId })).toMatchObject({ found: true });
    await vi.waitFor(() => expect(stack.model.aborted).toBe(aborted + 1), { interval: 5, timeout: 2_000 });
    expect(await reading).toMatchObject({ reason: "RUN_CANCELLED" });
  });

  it("stops its model call when the run is blocked for a tool", async () => {
    await stack.push({}, ["read"]);
    const { finished } = stack.model;
    const failure = await rpcFailureOf(stack.say('!tool exec {"command":"true"}'));
    expect(failure).toMatchObject({ reason: "TOOL_BLOCKED", metadata: { tool: "exec" } });
    // The call that asked for the tool has finished; what the model was to say to its result takes a second.
    await vi.waitFor(() => expect(stack.model.active).toBe(0), { interval: 5, timeout: 5_000 });
    expect(stack.model.finished).toBe(finished + 1);
    await stack.push({});
  });

  it("reports what its model answers as an error of the agent, without addresses", async () => {
    const failure = await rpcFailureOf(stack.say("!fail 400"));
    expect(failure).toMatchObject({ reason: "AGENT_ERROR", metadata: { code: "openclaw_error" } });
    expect(failure.text).not.toContain("127.0.0.1");
    expect(await stack.say("!echo still here")).toBe("still here");
  });

  it("that does not know the agent's token refuses config and messages", async () => {
    const agent = await startAgent({
      address: { kind: "tcp", host: "127.0.0.1", port: 0 },
      openclawUrl: stack.gateway.url,
      openclawToken: "not-the-token",
      insecure: true,
      log: createLog(() => {}),
    });
    onTestFinished(() => agent.kill());
    const host = await letIn(agent);
    const ack = await host.ask("config_update", configUpdate(1, {}));
    expect(ack.payload).toMatchObject({
      applied: false,
      reason: expect.stringContaining("OpenClaw's gateway refuses the agent"),
    });
    const frames = await host.message({ role: "user", content: "hi" }).rest();
    expect(frames.at(-1)).toMatchObject({
      type: "error",
      payload: { code: "openclaw_error", message: expect.stringContaining("401") },
    });
  });

  it("that restarts is told, gets a config that was pushed meanwhile, and answers again", async () => {
    expect(await stack.push({}, ["read"])).toMatchObject({ applied: true });
    const known = { openclawKind: "openclaw", openclawKindReason: "it answers /readyz as OpenClaw does" };
    expect(await status()).toMatchObject({ openclaw: "ready", ...known });
    await stack.gateway.stop();
    await vi.waitFor(async () => expect(await status()).toMatchObject({ openclaw: "down" }), {
      interval: 100,
      timeout: 20_000,
    });
    expect(await status()).toMatchObject(known);
    expect(await stack.push({}, ["exec"])).toMatchObject({ applied: false });
    await stack.gateway.start();
    await vi.waitFor(async () => expect(await status()).toMatchObject({ openclaw: "ready" }), {
      interval: 100,
      timeout: 20_000,
    });
    await vi.waitFor(async () => expect(await stack.say("!echo back")).toBe("back"), {
      interval: 500,
      timeout: 30_000,
    });
    expect(stack.model.requests.at(-1)?.tools).toEqual(["exec"]);
    const states = stack.logged.filter((line) => line.includes("openclaw_state")).join("");
    expect(states).toMatch(/"down"[^]*"starting"[^]*"ready"/);
    await stack.push({});
  });
});
