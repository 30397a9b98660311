import { createHash, randomUUID } from "node:crypto";
import { Code, ConnectError } from "@connectrpc/connect";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { OnDisconnect, type StreamResponse } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { ToolPolicy_Mode } from "../../gen/ts/valinor/v1/types_pb.ts";
import { collect, upTo } from "../e2e/collect.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { rpcFailureOf } from "../helpers/failures.ts";
import { until } from "../helpers/until.ts";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { median, record } from "./figures.ts";
import { boot, BOOT_MS, type Machine } from "./machine.ts";

/** A host hears nothing for 5 s, pings, waits 3 s; each is looked at once a second. The rest is a busy machine's slack. */
const HALF_OPEN_MS = 5_000 + 3_000 + 2 * 1_000 + 2_000;

interface ModelStats {
  readonly calls: number;
  readonly active: number;
  readonly aborted: number;
}

const directory = tempDir();
let machine: Machine;
let plane: ControlPlane;
/** The client of the control plane in use: a restart keeps it. */
const proxy = () => plane.proxy;
const model = async () => (await machine.control("model")) as ModelStats;

/** Sends a message until it is answered; resolves with how long that took, milliseconds. */
async function firstAnswer(since: number): Promise<number> {
  await until(
    "an answer of the guest",
    async () => (await proxy().sendMessage({ agentId: "demo", message: { content: "hello" } })).content,
    BOOT_MS,
  );
  return performance.now() - since;
}

describe.skipIf(inject("reason") !== "")("an agent in a guest, over vsock", () => {
  beforeAll(async () => {
    machine = await boot("/valinor/run.sh", directory);
    plane = await startControlPlane(machine.address);
    record("boot to first answer", (await firstAnswer(machine.startedAt)) / 1_000, "s");
    return () => machine.kill();
  });

  it("answers a message", async () => {
    const { content, finishReason } = await proxy().sendMessage({
      agentId: "demo",
      message: { content: "!echo from the guest" },
    });
    expect(content).toContain("from the guest");
    expect(finishReason).toBe("stop");
    const status = await proxy().getAgentStatus({ agentId: "demo" });
    expect(status).toMatchObject({ connected: true, protocol: 2, openclaw: "ready" });
  });

  it("streams, in order and whole", async () => {
    const { text, sequences } = await collect(
      proxy().stream({ agentId: "demo", message: { content: "!words 300" } }),
    );
    expect(text).toBe(
      upTo(300)
        .map((n) => `word${n}`)
        .join(" "),
    );
    expect(sequences).toEqual(upTo(sequences.length));
  });

  it("keeps 20 streams at once apart", async () => {
    const streams = upTo(20).map((n) =>
      collect(proxy().stream({ agentId: "demo", message: { content: `!words 30 !echo I am ${n}.` } })),
    );
    const answers = await Promise.all(streams);
    for (const [index, { text }] of answers.entries())
      expect(text).toMatch(new RegExp(`I am ${index + 1}\\.$`));
  });

  it("has a configuration and a context pushed", async () => {
    const pushed = await proxy().pushConfig({ agentId: "demo", config: { system_prompt: "be brief" } });
    expect(pushed).toMatchObject({ applied: true, reason: "" });
    expect(await proxy().pushContext({ agentId: "demo", context: "the sky is green" })).toMatchObject({
      applied: true,
    });
    // The stand-in tells how many system messages it saw: prompt and context are one.
    const { content } = await proxy().sendMessage({ agentId: "demo", message: { content: "hello" } });
    expect(content).toMatch(/1 system message came along/);
    const status = await proxy().getAgentStatus({ agentId: "demo" });
    expect(status.observedRevision).toBe(pushed.revision);
  });

  it("blocks a tool that is not allowed", async () => {
    const message = { content: '!tool get_weather {"city":"Oslo"}' };
    const toolPolicy = { mode: ToolPolicy_Mode.LISTED, tools: [] };
    await proxy().pushConfig({ agentId: "demo", config: {}, toolPolicy });
    expect(await rpcFailureOf(proxy().sendMessage({ agentId: "demo", message }))).toMatchObject({
      code: Code.PermissionDenied,
      reason: "TOOL_BLOCKED",
    });
    await proxy().pushConfig({ agentId: "demo", config: {} });
    expect((await proxy().sendMessage({ agentId: "demo", message })).toolCalls).toHaveLength(1);
  });

  it("cancels a run, at the model too", async () => {
    const requestId = randomUUID();
    const { aborted } = await model();
    const running = Promise.withResolvers<void>();
    const failure = rpcFailureOf(
      collect(
        proxy().stream({ agentId: "demo", requestId, message: { content: "!pace 50 !words 1000" } }),
        (event) => event.sequence === 2 && running.resolve(),
      ),
    );
    await running.promise;
    expect(await proxy().cancelMessage({ agentId: "demo", requestId })).toMatchObject({ found: true });
    expect(await failure).toMatchObject({ code: Code.Canceled, reason: "RUN_CANCELLED" });
    await expect.poll(async () => (await model()).aborted, { timeout: 10_000 }).toBe(aborted + 1);
  });

  it("carries 8 MiB of text unharmed", async () => {
    const size = 8 * 1024 * 1024;
    const line = `${"valinor ".repeat(8).trimEnd()}\n`;
    const expected = createHash("sha256").update(line.repeat(size / line.length));
    const got = createHash("sha256");
    const started = performance.now();
    await collect(
      proxy().stream({ agentId: "demo", message: { content: `!bytes ${size}` } }),
      ({ event }) => event.case === "textDelta" && got.update(event.value.text),
    );
    record("text streamed", size / 1024 / 1024 / ((performance.now() - started) / 1_000), "MiB/s");
    expect(got.digest("hex")).toBe(expected.digest("hex"));
  });

  it("answers soon", async () => {
    record("host to guest and back (median)", median(await machine.roundTrips(100)), "ms");
    const times: number[] = [];
    for (let i = 0; i < 30; i++) {
      const started = performance.now();
      await proxy().sendMessage({ agentId: "demo", message: { content: "!echo x" } });
      times.push(performance.now() - started);
    }
    record("unary call, model included (median)", median(times), "ms");
    expect(median(times)).toBeLessThan(5_000);
  });

  it("goes on, after the control plane was killed in the middle of a stream, where the client stopped", async () => {
    const words = 60;
    const requestId = randomUUID();
    const { calls } = await model();
    const seen: StreamResponse[] = [];
    const see = (event: StreamResponse) => event.sequence > 0 && seen.push(event);
    const first = collect(
      proxy().stream({ agentId: "demo", requestId, message: { content: `!pace 40 !words ${words}` } }),
      (event) => {
        see(event);
        if (event.sequence === 10) plane.program.kill("SIGKILL");
      },
    );
    await expect(first).rejects.toBeInstanceOf(ConnectError);
    await plane.program.exited;
    await plane.restart();
    const afterSequence = seen.at(-1)?.sequence ?? 0;
    const rest = await collect(proxy().stream({ agentId: "demo", requestId, afterSequence }), see);
    expect(rest.attached).toBe(true);
    expect(seen.map(({ sequence }) => sequence)).toEqual(upTo(words + 1));
    expect((await model()).calls).toBe(calls + 1);
  });

  it("killed in the guest, interrupts its run, and comes back under the same configuration", async () => {
    const { revision } = await proxy().pushConfig({ agentId: "demo", config: { temperature: 0.5 } });
    const before = await proxy().getAgentStatus({ agentId: "demo" });
    const requestId = randomUUID();
    const message = { content: "!pace 50 !words 2000" };
    const running = Promise.withResolvers<void>();
    const failure = rpcFailureOf(
      collect(
        proxy().stream({ agentId: "demo", requestId, message, onDisconnect: OnDisconnect.CONTINUE }),
        (event) => event.sequence === 2 && running.resolve(),
      ),
    );
    await running.promise;
    const killedAt = performance.now();
    await machine.control("kill-agent");
    expect(await failure).toMatchObject({ code: Code.Unavailable, reason: "RUN_INTERRUPTED" });
    record("agent killed to answering again", (await firstAnswer(killedAt)) / 1_000, "s");
    const after = await proxy().getAgentStatus({ agentId: "demo" });
    expect(after.bootId).not.toBe(before.bootId);
    expect(after.observedRevision).toBe(revision);
    // The run died with the process: it is said to be lost, and is not run again.
    const { calls } = await model();
    expect((await rpcFailureOf(proxy().sendMessage({ agentId: "demo", requestId, message }))).reason).toBe(
      "RUN_LOST",
    );
    expect((await model()).calls).toBe(calls);
  });

  it("is given up in time if the whole guest stands still, and is there again when it goes on", async () => {
    const running = Promise.withResolvers<void>();
    const failure = rpcFailureOf(
      collect(
        proxy().stream({ agentId: "demo", message: { content: "!pace 20 !words 5000" } }),
        (event) => event.sequence === 2 && running.resolve(),
      ),
    );
    await running.promise;
    machine.qemu.kill("SIGSTOP");
    const stoppedAt = performance.now();
    expect(await failure).toMatchObject({ code: Code.Unavailable, reason: "RUN_INTERRUPTED" });
    const took = performance.now() - stoppedAt;
    record("guest stopped to run interrupted", took / 1_000, "s");
    expect(took).toBeLessThan(HALF_OPEN_MS);
    machine.qemu.kill("SIGCONT");
    record("guest going on to answering again", (await firstAnswer(performance.now())) / 1_000, "s");
  });

  it("is given up in time if its machine is killed, and the next machine answers at the same address", async () => {
    const running = Promise.withResolvers<void>();
    const failure = rpcFailureOf(
      collect(
        proxy().stream({ agentId: "demo", message: { content: "!pace 20 !words 5000" } }),
        (event) => event.sequence === 2 && running.resolve(),
      ),
    );
    await running.promise;
    machine.qemu.kill("SIGKILL");
    const killedAt = performance.now();
    expect(await failure).toMatchObject({ code: Code.Unavailable, reason: "RUN_INTERRUPTED" });
    const took = performance.now() - killedAt;
    record("machine killed to run interrupted", took / 1_000, "s");
    expect(took).toBeLessThan(HALF_OPEN_MS);
    await machine.kill();
    const { reason } = await rpcFailureOf(
      proxy().sendMessage({ agentId: "demo", message: { content: "hello" } }),
    );
    expect(reason).toBe("AGENT_UNREACHABLE");

    machine = await boot("/valinor/run.sh", directory);
    await firstAnswer(machine.startedAt);
  });
});
