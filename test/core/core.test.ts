import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { localCaller } from "../../src/core/access/authorize.ts";
import { linkName } from "../../src/core/runs/names.ts";
import { failureOf, forever } from "../link/connect.ts";
import { echo, type Session, settle, startGuest } from "../link/fake-guest.ts";
import { drain, message, startWorld, streamed, textOf, userOf } from "./world.ts";

const me = localCaller;
const by = { subject: "test", credential: "local" };

describe("concurrent calls to one agent", () => {
  it("get each its own answer, with heartbeats, pings and acknowledgements in between", async () => {
    const world = await startWorld();
    const waiting: { session: Session; id: string; content: string }[] = [];
    const guest = await startGuest({
      on: {
        pong: () => {},
        message(session, { id, payload }) {
          waiting.push({ session, id, content: String(payload["content"]) });
          if (waiting.length === 32) answerAll();
        },
      },
    });
    /** 200 chunks for each, mixed, in an order of its own for each round. */
    function answerAll() {
      for (const { session, id } of waiting) session.opened(id);
      for (let n = 1; n <= 200; n++) {
        for (const { session, id, content } of waiting.toSorted(() => Math.random() - 0.5))
          session.text(id, n, `${content}:${n};`);
        if (n % 50 === 0) waiting[0]?.session.heartbeat();
        if (n % 40 === 0) waiting[0]?.session.send("ping", "", {});
        if (n % 30 === 0) waiting[0]?.session.send("config_ack", "nobody's", { applied: true });
      }
      for (const { session, id } of waiting) session.done(id, 201);
    }
    await world.add("a", guest.address);
    const answers = await Promise.all([
      ...Array.from({ length: 16 }, async (_, i) => {
        return (await world.core.send(me, message("a", `unary ${i}`), forever)).content;
      }),
      ...Array.from({ length: 16 }, async (_, i) => {
        const stream = await world.core.stream(me, streamed("a", `stream ${i}`), forever);
        const { events, error } = await drain(stream);
        expect(error).toBeUndefined();
        expect(events.map((event) => "sequence" in event && event.sequence)).toEqual(
          Array.from({ length: 201 }, (_, n) => n + 1),
        );
        return textOf(events);
      }),
    ]);
    const expected = (content: string) =>
      Array.from({ length: 200 }, (_, n) => `${content}:${n + 1};`).join("");
    expect(answers).toEqual([
      ...Array.from({ length: 16 }, (_, i) => expected(`unary ${i}`)),
      ...Array.from({ length: 16 }, (_, i) => expected(`stream ${i}`)),
    ]);
  });

  it("and pushes are told each its own verdict, every time", async () => {
    const world = await startWorld();
    const guest = await startGuest({
      on: {
        message: echo,
        context_update(session, { id, payload }) {
          const { context } = payload;
          session.send("pong", "", {});
          if (context === "error") session.send("error", id, { code: "invalid_config", message: "no" });
          else session.send("config_ack", id, { applied: context !== "bad" });
        },
      },
    });
    await world.add("a", guest.address);
    let round = 0;
    const calls = fc.array(fc.constantFrom("good", "bad", "error", "message"), {
      minLength: 2,
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(calls, async (kinds) => {
        const prefix = `round${round++}`;
        const results = await Promise.all(
          kinds.map(async (kind, i) => {
            if (kind === "message") {
              const { content } = await world.core.send(me, message("a", `m${i}`), forever);
              return content === `m${i}`;
            }
            const payload = { context: kind };
            const input = { agentId: "a", key: `${prefix}.${i}`, payload };
            const { applied, refused } = await world.core.pushContext(me, input, forever);
            return applied === (kind === "good") && refused === (kind !== "good");
          }),
        );
        expect(results).toEqual(kinds.map(() => true));
        const agent = { tenant: "default", id: "a" };
        const kept = await world.store.contexts(agent);
        expect(new Map(kept.map(({ key, payload }) => [key, payload["context"]]))).toEqual(
          new Map(kinds.flatMap((kind, i) => (kind === "good" ? [[`${prefix}.${i}`, "good"]] : []))),
        );
        for (const { key } of kept)
          await world.store.putContext(agent, { key, payload: { context: "" } }, by);
      }),
      { numRuns: 15 },
    );
  });
});

describe("send", () => {
  async function agent(onMessage: (session: Session, id: string) => void, messageMs = 10_000) {
    const world = await startWorld({ messageMs });
    const guest = await startGuest({
      on: { detach: "keep", message: (session, { id }) => onMessage(session, id) },
    });
    await world.add("a", guest.address);
    const send = (more = {}, signal = forever) => world.core.send(me, message("a", "hi", more), signal);
    return { world, guest, send };
  }

  it("gives the answer with its tool calls, finish reason and usage", async () => {
    const { send } = await agent((session, id) => {
      session.opened(id);
      session.text(id, 1, "Hel");
      session.send("progress", id, {});
      session.text(id, 2, "lo");
      session.send("tool_call", id, { sequence: 3, call_id: "c", tool_name: "t", arguments: "{}" });
      const usage = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 };
      session.send("chunk", id, { content: "", done: true, sequence: 4, finish_reason: "tool_calls", usage });
    });
    expect(await send({ requestId: "r1" })).toEqual({
      requestId: "r1",
      content: "Hello",
      finishReason: "tool_calls",
      usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 },
      toolCalls: [{ kind: "tool_call", sequence: 3, callId: "c", toolName: "t", arguments: "{}" }],
      resumable: true,
    });
  });

  it("gives an answer of over 3 MiB up, and stops the guest", async () => {
    const { send, guest } = await agent(
      sendWithoutEnd((n, session, id) => session.text(id, n, "x".repeat(60_000))),
    );
    expect(await failureOf(send({ requestId: "r" }))).toMatchObject({
      reason: "REPLY_TOO_LARGE",
      metadata: { agent_id: "a", request_id: "r" },
    });
    await guest.next("detach");
  });

  it("gives tool calls of over 3 MiB up, whatever part of them is large", async () => {
    const call = { call_id: "c".repeat(60_000), tool_name: "t", arguments: "" };
    const { send, guest } = await agent(
      sendWithoutEnd((n, session, id) => session.send("tool_call", id, { ...call, sequence: n })),
    );
    expect(await failureOf(send())).toMatchObject({ reason: "REPLY_TOO_LARGE" });
    await guest.next("detach");
  });

  /** Sends events of 60 kB as credit allows, for ever. */
  function sendWithoutEnd(event: (n: number, session: Session, id: string) => void) {
    return (session: Session, id: string) => {
      let n = 1;
      const burst = (limit: number) => {
        while (n * 61_000 < limit) event(n++, session, id);
      };
      session.opened(id);
      burst(262_144);
      session.guest.on["credit"] = (_session, frame) => burst(Number(frame.payload["limit"]));
    };
  }

  it("that is not answered in time says so, and detaches; the run goes its way", async () => {
    const { send, guest } = await agent((session, id) => session.opened(id), 150);
    expect(await failureOf(send({ requestId: "r" }))).toMatchObject({
      reason: "AGENT_TIMEOUT",
      code: "deadline_exceeded",
      metadata: { agent_id: "a", request_id: "r" },
    });
    const { session, frame } = await guest.next("detach");
    expect(frame.id).toBe(session.received.find(({ type }) => type === "message")?.id);
  });

  it("that the guest does not even take in time says so, and whose it was", async () => {
    // Long enough for the message to leave on a busy machine: otherwise there would be nothing to detach from.
    const { send, guest } = await agent(() => {}, 1_000);
    expect(await failureOf(send({ requestId: "r" }))).toMatchObject({
      reason: "AGENT_TIMEOUT",
      metadata: { agent_id: "a", request_id: "r" },
    });
    await guest.next("detach");
  });

  it.each([
    [{ requestId: "mine" }, "continue"],
    [{}, "cancel"],
  ])("whose client leaves detaches: %j is %s", async (input, onDisconnect) => {
    const { send, guest } = await agent((session, id) => session.opened(id));
    const client = new AbortController();
    const failed = failureOf(send(input, client.signal));
    const session = await guest.session(1);
    while (!session.received.some(({ type }) => type === "message")) await settle(1);
    client.abort();
    expect(await failed).toMatchObject({ reason: "CLIENT_GONE" });
    await guest.next("detach");
    const payload = session.received.find(({ type }) => type === "message")?.payload;
    expect(payload?.["on_disconnect"]).toBe(onDisconnect);
  });

  it("of what no frame can hold is the client's fault, and does the link no harm", async () => {
    const { world, guest, send } = await agent((session, id) =>
      echo(session, { type: "", id, payload: {}, size: 0 }),
    );
    const input = message("a", "\u0001".repeat(1_000_000));
    expect(await failureOf(world.core.send(me, input, forever))).toMatchObject({
      reason: "REQUEST_TOO_LARGE",
      code: "invalid_argument",
    });
    await send();
    expect(guest.sessions).toHaveLength(1);
  });

  it("that is empty, or comes while the server stops, reaches no guest", async () => {
    const { world, guest, send } = await agent(() => {});
    expect(await failureOf(world.core.send(me, message("a", ""), forever))).toMatchObject({
      reason: "INVALID_ARGUMENT",
    });
    world.lifecycle.enter("draining");
    expect(await failureOf(send())).toMatchObject({ reason: "DRAINING" });
    await settle();
    expect((await guest.session(1)).received.map(({ type }) => type)).not.toContain("message");
  });
});

describe("stream", () => {
  it("is cancelled by the guest's own rule: cancel if the client named no request, unless it says otherwise", async () => {
    const world = await startWorld();
    const guest = await startGuest({ on: { message: echo } });
    await world.add("a", guest.address);
    const inputs = [{}, { requestId: "r" }, { requestId: "s", onDisconnect: "cancel" as const }];
    for (const input of inputs) await drain(await world.core.stream(me, streamed("a", "x", input), forever));
    const sent = (await guest.session(1)).received.filter(({ type }) => type === "message");
    expect(sent.map(({ payload }) => payload["on_disconnect"])).toEqual(["cancel", "continue", "cancel"]);
  });

  it("detaches when its reader leaves, and is over", async () => {
    const world = await startWorld();
    const guest = await startGuest({
      on: { detach: "keep", message: (session, { id }) => session.opened(id) },
    });
    await world.add("a", guest.address);
    const stream = await world.core.stream(me, streamed("a", "x"), forever);
    const next = failureOf(stream.next());
    stream.close();
    expect(await next).toMatchObject({ reason: "CLIENT_GONE" });
    await guest.next("detach");
    expect(await failureOf(stream.next())).toMatchObject({ reason: "CLIENT_GONE" });
  });

  it("attaches after a sequence, numbers going on from there", async () => {
    const world = await startWorld();
    const guest = await startGuest({
      on: {
        message(session, { id }) {
          session.send("opened", id, { boot_id: "boot-1", attached: true, next_sequence: 8 });
          session.text(id, 8, "rest");
          session.done(id, 9);
        },
      },
    });
    await world.add("a", guest.address);
    const { message: _, ...attach } = streamed("a", "", { requestId: "r", afterSequence: 7 });
    const stream = await world.core.stream(me, attach, forever);
    expect(stream.opened).toEqual({
      requestId: "r",
      bootId: "boot-1",
      attached: true,
      resumable: true,
      life: "",
    });
    expect((await drain(stream)).events).toMatchObject([{ sequence: 8 }, { sequence: 9 }]);
    const sent = (await guest.session(1)).received.find(({ type }) => type === "message");
    expect(sent?.payload).toMatchObject({ role: "", content: "", after_sequence: 7 });
  });
});

describe("names on the link", () => {
  it("carry a digest of tenant and subject: the same request of two users is two runs", async () => {
    const world = await startWorld();
    const guest = await startGuest({ on: { message: echo } });
    const [ann, bob] = [userOf("t", "ann"), userOf("t", "bob")];
    await world.add("a", guest.address, ann);
    for (const user of [ann, bob])
      await world.core.send(user, message("a", "x", { requestId: "r", conversationId: "c" }), forever);
    const sent = (await guest.session(1)).received.filter(({ type }) => type === "message");
    const names = sent.flatMap(({ payload }) => [payload["request_id"], payload["conversation_id"]]);
    expect(names).toEqual([linkName(ann, "r"), linkName(ann, "c"), linkName(bob, "r"), linkName(bob, "c")]);
    expect(new Set(names).size).toBe(4);
    expect(linkName(userOf("u", "ann"), "r")).not.toBe(linkName(ann, "r"));
    expect(linkName(ann, "r")).toMatch(/^[0-9a-f]{16}\.r$/);
  });

  it("are used by cancel as well, so that nobody ends another's run", async () => {
    const world = await startWorld();
    const guest = await startGuest({
      on: { cancel: (session, { id }) => session.send("cancel_ack", id, { found: true }) },
    });
    const bob = userOf("t", "bob");
    await world.add("a", guest.address, userOf("t", "ann"));
    const input = { agentId: "a", requestId: "r", reason: "enough" };
    expect(await world.core.cancel(bob, input, forever)).toBe(true);
    const sent = (await guest.session(1)).received.find(({ type }) => type === "cancel");
    expect(sent?.payload).toEqual({ request_id: linkName(bob, "r"), reason: "enough" });
  });

  it("can't be given by the client's own keys, nor can any other field of the link", async () => {
    const world = await startWorld();
    const extra = {
      request_id: "stolen",
      conversation_id: "stolen",
      credit: 1e15,
      min_config_revision: 0,
      after_sequence: 3,
      on_disconnect: "continue",
      role: "system",
      content: "evil",
      mine: { kept: true },
    };
    const fields = { credit: 262144, min_config_revision: 1, on_disconnect: "cancel", after_sequence: 0 };
    for (const [protocol, own] of [
      [1, {}],
      [2, fields],
    ] as const) {
      const guest = await startGuest({ protocol, on: { message: echo } });
      const id = `a${protocol}`;
      await world.add(id, guest.address);
      const input = message(id, "good", { message: { role: "user", content: "good", extra } });
      expect((await world.core.send(me, input, forever)).content).toBe("good");
      const { payload } = (await guest.session(1)).received.find(({ type }) => type === "message") ?? {};
      expect(payload).toMatchObject({ role: "user", content: "good", mine: { kept: true }, ...own });
      expect(JSON.stringify(payload)).not.toMatch(/stolen|evil|system/);
    }
  });
});

describe("another tenant's agent", () => {
  it("is not found, whatever is asked of it", async () => {
    const world = await startWorld();
    const guest = await startGuest({ on: { message: echo } });
    await world.add("a", guest.address, userOf("t", "ann"));
    const eve = userOf("u", "ann");
    const { core } = world;
    const policy = { mode: "all", tools: [] } as const;
    const calls = [
      core.send(eve, message("a", "x"), forever),
      core.stream(eve, streamed("a", "x"), forever),
      core.cancel(eve, { agentId: "a", requestId: "r", reason: "" }, forever),
      core.pushConfig(eve, { agentId: "a", config: {}, policy, expectedRevision: 0 }, forever),
      core.pushContext(eve, { agentId: "a", key: "", payload: { context: "x" } }, forever),
      core.status(eve, "a"),
      core.getAgent(eve, "a"),
      core.deleteAgent(eve, "a"),
    ];
    for (const failure of await Promise.all(calls.map(failureOf)))
      expect(failure).toMatchObject({ reason: "AGENT_NOT_FOUND", code: "not_found" });
    expect((await core.listAgents(eve, { pageSize: 0, pageToken: "", filter: "" })).agents).toEqual([]);
    await core.createAgent(eve, { id: "a", status: "STOPPED", vsockCid: 0, address: "" });
    await world.core.send(userOf("t", "ann"), message("a", "x"), forever);
    expect(await core.status(userOf("t", "ann"), "a")).toMatchObject({ connected: true });
    expect(await failureOf(core.send(eve, message("a", "x"), forever))).toMatchObject({
      reason: "AGENT_NOT_RUNNING",
    });
  });
});
