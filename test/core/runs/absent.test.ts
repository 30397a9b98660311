import { describe, expect, it } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import type { AgentStatusView } from "../../../src/core/types.ts";
import type { FrameType } from "../../../protocol/wire/vocabulary.ts";
import { forever } from "../../link/connect.ts";
import { type Behaviour, type Session, settle, startGuest } from "../../link/fake-guest.ts";
import { absentCases, type Payload } from "../../protocol/wire/absent.ts";
import { schemas } from "../../protocol/wire/schemas.ts";
import { drain, startWorld, streamed, type World } from "../world.ts";

const me = localCaller;

async function agent(on: Behaviour["on"]) {
  const world = await startWorld();
  const guest = await startGuest({ on });
  await world.add("a", guest.address);
  return { world, guest };
}

/** What a caller sees of an outcome: JSON of it, errors by their fields. */
async function told(result: Promise<unknown>): Promise<unknown> {
  try {
    return JSON.parse(JSON.stringify(await result)) as unknown;
  } catch (thrown) {
    return errorOf(thrown);
  }
}

function errorOf(thrown: unknown): unknown {
  if (thrown === undefined) return undefined;
  const { reason, message, metadata, code } = thrown as Record<string, unknown>;
  return { reason, message, metadata, code };
}

/** Streams an answer of one text, then the frame, then the end. */
async function afterText(type: string, payload: Payload): Promise<unknown> {
  return readAll((session, id) => {
    session.opened(id);
    session.text(id, 1, "a");
    session.send(type, id, payload);
    session.done(id, 3);
  });
}

async function readAll(answer: (session: Session, id: string) => void): Promise<unknown> {
  const { world } = await agent({ message: (session, { id }) => answer(session, id) });
  const opening = world.core.stream(me, streamed("a", "hi", { requestId: "r" }), forever);
  return told(
    opening.then(async (stream) => {
      const { events, error } = await drain(stream);
      return { opened: stream.opened, events, error: errorOf(error) };
    }),
  );
}

const hash = "0".repeat(64);
const mark = 5;
/** Frames as a guest may send them, every field of each set; and how what they mean is seen. */
const frames: readonly [string, FrameType, Payload, (payload: Payload) => Promise<unknown>][] = [
  [
    "opened",
    "opened",
    { boot_id: "boot-1", attached: true, next_sequence: 1, life: "life-1" },
    (payload) =>
      readAll((session, id) => {
        session.send("opened", id, payload);
        session.text(id, 1, "a");
        session.done(id, 2);
      }),
  ],
  ...(
    [
      ["chunk of text", "chunk", { content: "text", done: false, sequence: 2, mark }],
      ["last chunk", "chunk", { content: "", done: true, sequence: 2, mark }],
      ["tool_call", "tool_call", { sequence: 2, call_id: "c", tool_name: "t", arguments: "{}", mark }],
      ["tool_blocked", "tool_blocked", { reason: "no", tool_name: "t", sequence: 2, mark }],
      ["error that ends the run", "error", { code: "read_error", message: "no", sequence: 2, mark }],
    ] as const
  ).map(
    ([name, type, payload]) =>
      [
        name,
        type,
        type === "chunk"
          ? {
              ...payload,
              finish_reason: "stop",
              usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
            }
          : payload,
        (given: Payload) => afterText(type, given),
      ] as [string, FrameType, Payload, (payload: Payload) => Promise<unknown>],
  ),
  [
    "cancel_ack",
    "cancel_ack",
    { found: true },
    async (payload) => {
      const { world } = await agent({ cancel: (session, { id }) => session.send("cancel_ack", id, payload) });
      return told(world.core.cancel(me, { agentId: "a", requestId: "r", reason: "" }, forever));
    },
  ],
  [
    "config_ack that refuses",
    "config_ack",
    { applied: false, revision: 1, sha256: hash, reason: "no", retry: false, context_sha256: hash },
    async (payload) => {
      const { world, guest } = await agent({});
      // Else the guest would refuse its first configuration as well.
      await untilSeen(world, ({ configState }) => configState === "applied");
      guest.on["config_update"] = (session, { id }) => session.send("config_ack", id, payload);
      const policy = { mode: "all", tools: [] } as const;
      const input = { agentId: "a", config: { a: 1 }, policy, expectedRevision: 0 };
      return told(world.core.pushConfig(me, input, forever));
    },
  ],
  [
    "error that refuses",
    "error",
    { code: "invalid_config", message: "no", sequence: 1, mark },
    async (payload) => {
      const { world } = await agent({
        context_update: (session, { id }) => session.send("error", id, payload),
      });
      return told(world.core.pushContext(me, { agentId: "a", key: "", payload: { context: "x" } }, forever));
    },
  ],
  [
    "heartbeat",
    "heartbeat",
    {
      status: "running",
      uptime_secs: 5,
      protocol: 2,
      agent_id: "a",
      boot_id: "boot-1",
      agent_version: "1",
      config_revision: 1,
      config_sha256: hash,
      in_flight: 2,
      openclaw: "ready",
      openclaw_kind: "plain",
      openclaw_kind_reason: "it says so",
      context_sha256: hash,
      lives: true,
      remembers: "disk",
    },
    async (payload) => {
      const { world } = await agent({ hello: (session) => session.send("heartbeat", "", payload) });
      const { agent: _, ...view } = await untilJudged(world);
      return { ...view, heartbeatAgeSecs: 0, configState: "", configReason: "", observedRevision: 0 };
    },
  ],
];
/** The status of the agent once its guest was let in or refused. */
function untilJudged(world: World): Promise<AgentStatusView> {
  return untilSeen(world, ({ connected, lastError }) => connected || /the guest/.test(lastError));
}

/** The status of the agent once it is like that. */
async function untilSeen(
  { core }: World,
  isSeen: (view: AgentStatusView) => boolean,
): Promise<AgentStatusView> {
  const end = performance.now() + 10_000;
  for (;;) {
    const view = await core.status(me, "a");
    if (isSeen(view)) return view;
    if (performance.now() > end) throw new Error(`it did not come to this: ${JSON.stringify(view)}`);
    await settle(1);
  }
}

describe.each(frames)("a frame, %s,", (_, type, payload, observe) => {
  it.each(absentCases(schemas[type], payload))(
    "without $field is read as one with null or zero there",
    async ({ without, same }) => {
      const outcome = await observe(without);
      for (const other of same) expect(await observe(other)).toEqual(outcome);
    },
  );
});

describe("a chunk as protobuf's JSON of Go writes it, without what is zero", () => {
  it.each([
    ["no done", { content: "a", sequence: 2 }, "a"],
    ["no content", { sequence: 2 }, ""],
    ["null in both", { content: null, done: null, sequence: 2 }, ""],
  ])("is text: %s", async (_, payload, text) => {
    expect(await afterText("chunk", payload)).toMatchObject({
      events: [{ text: "a" }, { kind: "text", sequence: 2, text }, { kind: "done", sequence: 3 }],
    });
  });
});
