import { afterEach, describe, expect, it, vi } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { failureOf, forever } from "../../link/connect.ts";
import { frameBytes, lengthAndBytes } from "../../helpers/frame-bytes.ts";
import { type Behaviour, echo, type Session, settle, startGuest } from "../../link/fake-guest.ts";
import { drain, message, startWorld, streamed, textOf } from "../world.ts";

const me = localCaller;

/** An agent `a` whose guest answers the message "bad" as told, others as an echo; and a good agent `b`. */
async function agents(misbehave: (session: Session, id: string) => void, behaviour: Partial<Behaviour> = {}) {
  const world = await startWorld({ messageMs: 3_000 });
  const on: Behaviour["on"] = {
    detach: "keep",
    message(session, frame) {
      if (frame.payload["content"] === "bad") misbehave(session, frame.id);
      else if (frame.payload["content"] !== "wait") echo(session, frame);
    },
  };
  const guest = await startGuest({ on, ...behaviour });
  await world.add("a", guest.address);
  await world.add("b", (await startGuest({ on: { message: echo } })).address);
  const run = async () =>
    drain(await world.core.stream(me, streamed("a", "bad", { requestId: "r" }), forever));
  const ask = async (id: string) => (await world.core.send(me, message(id, "fine"), forever)).content;
  return { world, guest, run, ask };
}

describe("a guest that breaks the rules of one exchange", () => {
  const cases: [string, (session: Session, id: string) => void, string, string][] = [
    [
      "leaves a gap",
      (s, id) => [s.opened(id), s.text(id, 2, "x")],
      "",
      "expected event 1 from the agent, got event 2",
    ],
    [
      "repeats an event",
      (s, id) => [s.opened(id), s.text(id, 1, "x"), s.text(id, 1, "x")],
      "x",
      "expected event 2 from the agent, got event 1",
    ],
    [
      "numbers nothing",
      (s, id) => [s.opened(id), s.send("chunk", id, { content: "x", done: false })],
      "",
      "expected event 1 from the agent, got one without a number",
    ],
    [
      "numbers an error wrongly",
      (s, id) => [s.opened(id), s.send("error", id, { code: "internal", message: "", sequence: 9 })],
      "",
      "expected event 1 from the agent, got event 9",
    ],
    [
      "puts text in its last chunk",
      (s, id) => [s.opened(id), s.send("chunk", id, { content: "x", done: true, sequence: 1 })],
      "",
      "the agent sent text in its last chunk",
    ],
    [
      "opens twice",
      (s, id) => [s.opened(id), s.text(id, 1, "x"), s.opened(id)],
      "x",
      "the agent sent a opened frame in answer to a message",
    ],
    [
      "acknowledges a message as if it were a push",
      (s, id) => [s.opened(id), s.send("config_ack", id, { applied: true })],
      "",
      "the agent sent a config_ack frame in answer to a message",
    ],
    [
      "sends text that is none",
      (s, id) => [s.opened(id), s.send("chunk", id, { content: 7, done: false, sequence: 1 })],
      "",
      "a payload is not a Chunk",
    ],
    [
      "sends half a character",
      (s, id) => [s.opened(id), s.send("chunk", id, { content: "\ud800", done: false, sequence: 1 })],
      "",
      "invalid UTF8",
    ],
    [
      "sends a tool call without a number",
      (s, id) => [s.opened(id), s.send("tool_call", id, { call_id: "c", tool_name: "t", arguments: "" })],
      "",
      "expected event 1 from the agent, got event 0",
    ],
  ];

  it.each(cases)(
    "and %s: that exchange ends, with what was good before, and nothing else",
    async (_what, act, text, told) => {
      const { guest, run, ask, world } = await agents(act);
      const other = world.core.stream(me, streamed("a", "wait"), forever).catch(() => {});
      const { events, error } = await run();
      expect(textOf(events)).toBe(text);
      expect(error).toMatchObject({
        reason: "INVALID_FRAME",
        code: "internal",
        message: expect.stringContaining(told),
        metadata: { agent_id: "a", request_id: "r" },
      });
      expect(await ask("a")).toBe("fine");
      expect(await ask("b")).toBe("fine");
      expect(guest.sessions).toHaveLength(1);
      guest.sessions[0]?.socket.destroy();
      void other;
    },
  );

  const openings: [string, (session: Session, id: string) => void, string][] = [
    ["sends a chunk first", (s, id) => s.text(id, 1, "x"), "the agent's first answer was not `opened`"],
    ["blocks a tool first", (s, id) => s.send("tool_blocked", id, { tool_name: "t" }), "was not `opened`"],
    ["goes on too late", (s, id) => s.opened(id, 5), "the agent goes on at 5, not after 0"],
    ["goes on at nothing", (s, id) => s.opened(id, 0), "the agent goes on at 0, not after 0"],
    ["opens with nonsense", (s, id) => s.send("opened", id, { next_sequence: "x" }), "not a Opened"],
  ];

  it.each(openings)("and %s: the message fails, and the next is answered", async (_what, act, told) => {
    const { run, ask, guest } = await agents(act);
    expect(await failureOf(run())).toMatchObject({
      reason: "INVALID_FRAME",
      message: expect.stringContaining(told),
    });
    expect(await ask("a")).toBe("fine");
    expect(guest.sessions).toHaveLength(1);
  });

  it("and sends more than its credit: that exchange ends, and it is told to stop", async () => {
    const { world, ask, guest } = await agents((s, id) => {
      s.opened(id);
      for (let n = 1; n <= 40; n++) s.text(id, n, "x".repeat(60_000));
    });
    const stream = await world.core.stream(me, streamed("a", "bad"), forever);
    await settle();
    const { error } = await drain(stream);
    expect(error).toMatchObject({ reason: "INVALID_FRAME", message: expect.stringContaining("credit") });
    await guest.next("detach");
    expect(await ask("a")).toBe("fine");
  });
});

describe("a guest that breaks the link", () => {
  const breaks: [string, Buffer, string][] = [
    ["garbage", Buffer.from("GET / HTTP/1.1\r\n\r\n"), "FRAME_TOO_LARGE"],
    ["a frame of 4 MiB and a byte", Buffer.from([0, 0x40, 0, 1]), "FRAME_TOO_LARGE"],
    ["what is not JSON", lengthAndBytes(Buffer.from("{]")), "INVALID_FRAME"],
    ["what is not UTF-8", lengthAndBytes(Buffer.from('{"type":"\xff\xff"}', "latin1")), "INVALID_FRAME"],
    [
      "deep nesting",
      lengthAndBytes(Buffer.from(`{"type":"x","payload":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`)),
      "INVALID_FRAME",
    ],
    ["an id that is too long", frameBytes("chunk", "x".repeat(200), {}), "INVALID_FRAME"],
    ["an id that is none", frameBytes("chunk", 7, {}), "INVALID_FRAME"],
    ["a heartbeat that is none", frameBytes("heartbeat", "", { uptime_secs: "?" }), "INVALID_FRAME"],
  ];

  it.each(breaks)(
    "with %s gets an error of its own kind, is dialled again, and touches no other agent",
    async (_what, bytes, reason) => {
      const { run, ask, guest, world } = await agents((s, id) => {
        s.opened(id);
        s.text(id, 1, "good");
        s.raw(bytes);
      });
      const other = await world.core.stream(me, streamed("b", "x"), forever);
      const { events, error } = await run();
      expect(textOf(events)).toBe("good");
      expect(error).toMatchObject({ reason, code: "internal" });
      expect(textOf((await drain(other)).events)).toBe("x");
      expect(await ask("a")).toBe("fine");
      expect(guest.sessions).toHaveLength(2);
    },
  );

  it("that never answers ends a call in time, and not the next one", async () => {
    const { world, ask } = await agents(() => {});
    expect(await failureOf(world.core.send(me, message("a", "bad"), forever))).toMatchObject({
      reason: "AGENT_TIMEOUT",
    });
    expect(await ask("a")).toBe("fine");
  });
});

describe("a guest of protocol 1", () => {
  const one = { protocol: 1 } as const;
  const chunk = (session: Session, id: string, content: string, done: boolean) =>
    session.send("chunk", id, { content, done });

  it("streams, its events numbered by the host, a last chunk with text made text and end", async () => {
    const { world } = await agents((s, id) => {
      chunk(s, id, "", false);
      chunk(s, id, "Hel", false);
      chunk(s, id, "lo", true);
      chunk(s, id, "late", true);
    }, one);
    const stream = await world.core.stream(me, streamed("a", "bad", { requestId: "r" }), forever);
    expect(stream.opened).toEqual({
      requestId: "r",
      bootId: "",
      attached: false,
      resumable: false,
      life: "",
    });
    expect((await drain(stream)).events).toEqual([
      { kind: "text", sequence: 1, text: "Hel" },
      { kind: "text", sequence: 2, text: "lo" },
      { kind: "done", sequence: 3, finishReason: "stop" },
    ]);
  });

  it("never gives an empty batch: a chunk without text is waited past", async () => {
    const { world } = await agents((s, id) => chunk(s, id, "", false), one);
    const stream = await world.core.stream(me, streamed("a", "bad"), forever);
    const first = stream.next();
    await settle();
    stream.close();
    expect(await failureOf(first)).toMatchObject({ reason: "CLIENT_GONE" });
  });

  it("runs a message as often as it is sent, and the answer says that it does", async () => {
    const { world } = await agents((s, id) => chunk(s, id, "Hello", true), one);
    for (let n = 0; n < 2; n++) {
      const answer = await world.core.send(me, message("a", "bad", { requestId: "r" }), forever);
      expect(answer).toMatchObject({ content: "Hello", resumable: false });
    }
  });

  it("can't be attached to", async () => {
    const { world } = await agents(() => {}, one);
    const { message: _, ...attach } = streamed("a", "", { requestId: "r" });
    expect(await failureOf(world.core.stream(me, attach, forever))).toMatchObject({ reason: "RUN_UNKNOWN" });
    const after = streamed("a", "x", { requestId: "r", afterSequence: 1 });
    expect(await failureOf(world.core.stream(me, after, forever))).toMatchObject({ reason: "RUN_UNKNOWN" });
    expect(await world.core.cancel(me, { agentId: "a", requestId: "r", reason: "" }, forever)).toBe(false);
  });

  it("tells of errors and blocked tools, which get the next number", async () => {
    const { run } = await agents((s, id) => {
      chunk(s, id, "x", false);
      s.send("tool_blocked", id, { tool_name: "bash", reason: "tool not in allow-list" });
    }, one);
    expect((await run()).error).toMatchObject({
      reason: "TOOL_BLOCKED",
      text: "tool blocked: bash",
      metadata: { tool: "bash", sequence: "2", request_id: "r" },
    });
  });

  it("that sends more than 1 MiB to a reader that stopped loses that exchange alone", async () => {
    const { world, ask } = await agents((s, id) => {
      for (let i = 0; i < 30; i++) chunk(s, id, "x".repeat(60_000), false);
    }, one);
    const stream = await world.core.stream(me, streamed("a", "bad"), forever);
    expect(await ask("a")).toBe("fine");
    expect((await drain(stream)).error).toMatchObject({
      reason: "LIMIT_EXCEEDED",
      code: "resource_exhausted",
    });
    expect(await ask("a")).toBe("fine");
  });

  it("that sends frames it can't know ends that exchange alone", async () => {
    const { run, ask } = await agents((s, id) => s.opened(id), one);
    expect((await run()).error).toMatchObject({ reason: "INVALID_FRAME" });
    expect(await ask("a")).toBe("fine");
  });

  it("is sent a list of no tool as one that none has, and its word is believed", async () => {
    const { world, guest } = await agents(() => {}, one);
    const push = (mode: "all" | "listed", tools: string[]) =>
      world.core.pushConfig(
        me,
        { agentId: "a", config: { k: 1 }, policy: { mode, tools }, expectedRevision: 0 },
        forever,
      );
    expect(await push("listed", [])).toEqual({ revision: 2, applied: true, reason: "" });
    await push("listed", ["t"]);
    await push("all", []);
    const sent = (await guest.session(1)).received.filter(({ type }) => type === "config_update");
    expect(sent.slice(-3).map(({ payload }) => payload)).toEqual([
      { config: { k: 1 }, tool_allowlist: ["valinor:none"] },
      { config: { k: 1 }, tool_allowlist: ["t"] },
      { config: { k: 1 }, tool_allowlist: [] },
    ]);
  });
});

describe("silence in a stream", () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  it("of a guest of protocol 1 gives keepalives, then AGENT_TIMEOUT", async () => {
    const world = await startWorld({ messageMs: 40_000 });
    const guest = await startGuest({ protocol: 1, on: { message: "keep" } });
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "performance"] });
    await world.add("a", guest.address);
    const ended = drain(await world.core.stream(me, streamed("a", "x"), forever));
    const { session } = await guest.next("message");
    for (let second = 0; second < 45; second++) {
      session.heartbeat();
      await settle(1);
      await vi.advanceTimersByTimeAsync(1_000);
    }
    expect(await ended).toMatchObject({
      events: [{ kind: "keepalive" }, { kind: "keepalive" }],
      error: { reason: "AGENT_TIMEOUT", message: "the agent sent nothing for 40 s" },
    });
  });
});
