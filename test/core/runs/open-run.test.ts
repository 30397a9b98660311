import { afterEach, describe, expect, it, vi } from "vitest";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { linkName } from "../../../src/core/runs/names.ts";
import { failureOf, forever } from "../../link/connect.ts";
import { echo, type Guest, settle, startGuest, until } from "../../link/fake-guest.ts";
import { freePort } from "../../helpers/ports.ts";
import { drain, message, startWorld, streamed, textOf, type World } from "../world.ts";

const me = localCaller;

afterEach(() => {
  vi.useRealTimers();
});

async function agent(behaviour: Parameters<typeof startGuest>[0] = {}, options = {}) {
  const world: World = await startWorld(options);
  const guest: Guest = await startGuest(behaviour);
  await world.add("a", guest.address);
  const send = (more = {}, signal = forever) => world.core.send(me, message("a", "hi", more), signal);
  return { world, guest, send };
}

const connected = async (world: World) => (await world.core.status(me, "a")).connected;

describe("a guest that comes back", () => {
  it("within 5 s is not noticed by a caller who came meanwhile", async () => {
    const { world, guest, send } = await agent({ on: { message: echo } });
    await send();
    await guest.down();
    while (await connected(world)) await settle(1);
    const answers = Promise.all(Array.from({ length: 20 }, () => send()));
    await settle(20);
    const before = guest.sessions.length;
    await guest.up();
    for (const { content } of await answers) expect(content).toBe("hi");
    expect(guest.sessions.length - before).toBe(1);
  });

  it("as the same boot is given the message once more, under the same name", async () => {
    const { guest, send } = await agent({ on: { message: "keep" } });
    const answer = send({ requestId: "r" });
    const first = await guest.next("message");
    guest.on["message"] = "keep";
    first.session.socket.destroy();
    const second = await guest.next("message");
    expect(second.session).not.toBe(first.session);
    expect(second.frame.payload).toEqual(first.frame.payload);
    expect(second.frame.payload["request_id"]).toBe(linkName(me, "r"));
    echo(second.session, second.frame);
    expect(await answer).toMatchObject({ content: "hi" });
    await settle();
    expect(
      guest.sessions.flatMap(({ received }) => received.filter(({ type }) => type === "message")),
    ).toHaveLength(2);
  });

  it("as another boot is not given it again: the caller is told", async () => {
    const { guest, send } = await agent({ on: { message: "keep" } });
    const failed = failureOf(send({ requestId: "r" }));
    const { session } = await guest.next("message");
    guest.bootId = "boot-2";
    session.socket.destroy();
    expect(await failed).toMatchObject({
      reason: "RUN_INTERRUPTED",
      code: "unavailable",
      message: "the agent restarted before it had answered",
      metadata: { agent_id: "a", request_id: "r" },
    });
    await settle();
    expect((await guest.session(2)).received.map(({ type }) => type)).not.toContain("message");
  });

  it("with protocol 1 is not given it again either", async () => {
    const { guest, send } = await agent({ protocol: 1, on: { message: "keep" } });
    const failed = failureOf(send());
    (await guest.next("message")).session.socket.destroy();
    expect(await failed).toMatchObject({ reason: "RUN_INTERRUPTED" });
  });
});

describe("a guest that stays away", () => {
  it("after it may have got the message leaves the caller in doubt: it may run", async () => {
    const { guest, send } = await agent({ on: { message: "keep" } }, { messageMs: 30_000 });
    const failed = failureOf(send({ requestId: "r" }));
    await guest.next("message");
    await guest.down();
    expect(await failed).toMatchObject({
      reason: "RUN_INTERRUPTED",
      message: expect.stringContaining("ECONNREFUSED"),
    });
  });

  it("before it got the message is unreachable, with the address and the cause, in bounded time", async () => {
    const world = await startWorld();
    const port = await freePort();
    await world.add("a", `tcp://127.0.0.1:${port}`);
    const began = performance.now();
    expect(
      await failureOf(world.core.send(me, message("a", "x", { requestId: "r" }), forever)),
    ).toMatchObject({
      reason: "AGENT_UNREACHABLE",
      code: "unavailable",
      message: `tcp://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
      metadata: { agent_id: "a", request_id: "r" },
    });
    expect(performance.now() - began).toBeLessThan(6_000);
  });

  it("because it is another agent is unreachable, and the address stands there too", async () => {
    const { world, guest } = await agent({ agentId: "b" });
    expect(await failureOf(world.core.send(me, message("a", "x"), AbortSignal.timeout(200)))).toMatchObject({
      reason: "CLIENT_GONE",
    });
    const handle = world.fleet.find({ tenant: "default", id: "a" });
    expect(await failureOf(handle?.reach(AbortSignal.timeout(200)) ?? Promise.resolve())).toMatchObject({
      code: "unreachable",
      message: `${guest.address}: the guest says it is agent "b"`,
    });
  });
});

describe("a stream whose link is lost", () => {
  it("ends as interrupted, after what had come", async () => {
    const { world, guest } = await agent({
      on: {
        message(session, { id }) {
          session.opened(id);
          session.text(id, 1, "so far");
        },
      },
    });
    const stream = await world.core.stream(me, streamed("a", "x", { requestId: "r" }), forever);
    expect(textOf((await stream.next()) ?? [])).toBe("so far");
    (await guest.session(1)).socket.destroy();
    expect(await drain(stream)).toMatchObject({
      events: [],
      error: { reason: "RUN_INTERRUPTED", metadata: { agent_id: "a", request_id: "r" } },
    });
  });

  it("because its agent was deleted says so", async () => {
    const { world } = await agent({ on: { message: (session, { id }) => session.opened(id) } });
    const stream = await world.core.stream(me, streamed("a", "x"), forever);
    const ended = drain(stream);
    await world.core.deleteAgent(me, "a");
    expect((await ended).error).toMatchObject({
      reason: "RUN_INTERRUPTED",
      message: "the link to the agent was lost: the agent was removed",
    });
    expect(await failureOf(world.core.status(me, "a"))).toMatchObject({ reason: "AGENT_NOT_FOUND" });
  });
});

describe("before a message reaches a guest that has another boot", () => {
  it("its configuration and every context entry are pushed and acknowledged", async () => {
    const { world, guest, send } = await agent({ on: { message: echo } });
    await world.core.pushConfig(
      me,
      { agentId: "a", config: { model: "m" }, policy: { mode: "listed", tools: ["t"] }, expectedRevision: 0 },
      forever,
    );
    for (const key of ["", "k"])
      await world.core.pushContext(me, { agentId: "a", key, payload: { context: `c${key}` } }, forever);
    await guest.down();
    Object.assign(guest, { bootId: "boot-2", revision: 0, sha256: "" });
    while (await connected(world)) await settle(1);
    const answer = send();
    await settle();
    await guest.up();
    await answer;
    const { received } = guest.sessions.at(-1) ?? { received: [] };
    expect(received.map(({ type }) => type)).toEqual([
      "hello",
      "config_update",
      "context_update",
      "context_update",
      "message",
    ]);
    expect(received[1]?.payload).toMatchObject({
      config: { model: "m" },
      tool_policy: { mode: "listed", tools: ["t"] },
      revision: 2,
    });
    expect(received[4]?.payload["min_config_revision"]).toBe(2);
  });

  it("nothing is pushed if it is the same boot and has them", async () => {
    const { guest, send } = await agent({ on: { message: echo } });
    await send();
    (await guest.session(1)).socket.destroy();
    const session = await guest.session(2);
    await until("it said hello", () => session.received.length > 0);
    await send();
    expect(session.received.map(({ type }) => type)).toEqual(["hello", "message"]);
  });
});
