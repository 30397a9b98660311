import { connect, createServer } from "node:net";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createIntake } from "../../src/link/intake.ts";
import { createLink, type Link, type LinkOptions } from "../../src/link/link.ts";
import { dial } from "../../protocol/transport/dial.ts";
import { LinkError } from "../../protocol/wire/errors.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { freePort } from "../helpers/ports.ts";
import { failureOf, forever } from "./connect.ts";
import { type Guest, settle, soon, startGuest, until } from "./fake-guest.ts";

interface Watched {
  readonly link: Link;
  /** Times that the link dialled. */
  dials: number;
  readonly ups: string[];
  readonly downs: LinkError[];
}

function watch(port: number, options: Partial<LinkOptions> = {}): Watched {
  const watched = { dials: 0, ups: [] as string[], downs: [] as LinkError[] };
  // The first dial is made before createLink returns.
  const link = createLink({
    token: "",
    agentId: "a",
    pingMs: 3_000,
    silenceMs: 60_000,
    intake: createIntake(),
    onHeartbeat: () => {},
    dial(signal) {
      watched.dials++;
      return dial({ kind: "tcp", host: "127.0.0.1", port }, signal);
    },
    onUp: (connection) => watched.ups.push(connection.bootId),
    onDown: (reason) => watched.downs.push(reason),
    ...options,
  });
  afterFile(() => link.close(new LinkError("closed", "the test is over")));
  return Object.assign(watched, { link });
}

const close = (link: Link) => link.close(new LinkError("closed", "the agent was removed"));

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

describe("a link", () => {
  it("dials once for everybody who waits", async () => {
    const guest = await startGuest({ on: { hello: "keep" } });
    const { link } = watch(guest.port);
    const waiting = Array.from({ length: 20 }, () => link.ready(forever));
    (await guest.next("hello")).session.heartbeat();
    const connections = new Set(await Promise.all(waiting));
    expect(connections.size).toBe(1);
    expect(guest.sessions).toHaveLength(1);
    expect(await link.ready(forever)).toBe(link.current);
  });

  it("is told up before anybody gets its connection", async () => {
    const guest = await startGuest();
    const order: string[] = [];
    const { link } = watch(guest.port, { onUp: () => order.push("up") });
    await link.ready(forever).then(() => order.push("ready"));
    expect(order).toEqual(["up", "ready"]);
  });

  it("comes back by itself, and brings a request through that came meanwhile", async () => {
    const guest = await startGuest();
    const watched = watch(guest.port);
    await watched.link.ready(forever);
    await guest.down();
    await until("the loss is seen", () => watched.link.current === undefined);
    const waiting = watched.link.ready(forever);
    await settle();
    guest.bootId = "boot-2";
    await guest.up();
    expect((await waiting).bootId).toBe("boot-2");
    expect(watched.ups).toEqual(["boot-1", "boot-2"]);
    expect(watched.link.lastError).toBe("");
  });

  it("that has paused for long dials at once for a request", async () => {
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    const port = await freePort();
    const watched = watch(port);
    // 50 + 50, 50 + 100, ... : after four failures the next pause is of 850 ms.
    await until("it has failed four times", () => watched.dials === 5, 10_000);
    await settle(30);
    const began = performance.now();
    const pending = watched.link.ready(AbortSignal.timeout(300)).catch(() => {});
    await until("it dials again", () => watched.dials === 6);
    expect(performance.now() - began).toBeLessThan(200);
    await pending;
  });

  it("that is waited for dials at least every 300 ms, and never in a tight loop", async () => {
    const watched = watch(await freePort());
    await failureOf(watched.link.ready(AbortSignal.timeout(1_500)));
    expect(watched.dials).toBeGreaterThanOrEqual(5);
    expect(watched.dials).toBeLessThanOrEqual(30);
  });

  it("gives a request up in bounded time, with the address and the cause", async () => {
    const port = await freePort();
    const { link } = watch(port);
    const began = performance.now();
    expect(await failureOf(link.ready(forever))).toMatchObject({
      code: "unreachable",
      message: `tcp://127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    });
    const took = performance.now() - began;
    expect(took).toBeGreaterThan(4_500);
    expect(took).toBeLessThan(6_000);
  });

  it("gives a request up at once if its signal aborts, and keeps nothing of it", async () => {
    const watched = watch(await freePort());
    const sets = new Set<Set<unknown>>();
    // oxlint-disable-next-line typescript/unbound-method -- it is called with Reflect.apply
    const { add } = Set.prototype;
    // oxlint-disable-next-line no-extend-native -- the waiters are nobody else's business
    Set.prototype.add = function remember(value) {
      Reflect.apply(add, sets, [this]);
      return Reflect.apply(add, this, [value]) as never;
    };
    const waits = Array.from({ length: 100 }, () => {
      const abort = new AbortController();
      const failed = failureOf(watched.link.ready(abort.signal));
      return { abort, failed };
    });
    // oxlint-disable-next-line no-extend-native
    Set.prototype.add = add;
    const waiters = [...sets].find((set) => set.size === 100) as Set<unknown>;
    expect(waiters.size).toBe(100);
    for (const { abort } of waits) abort.abort();
    for (const { failed } of waits) expect(await failed).toMatchObject({ code: "unreachable" });
    expect(waiters.size).toBe(0);
    await failureOf(watched.link.ready(AbortSignal.abort()));
    expect(waiters.size).toBe(0);
  });

  it("keeps on waiting for a guest that comes and goes at once", async () => {
    const guest = await startGuest();
    let flaps = 0;
    // The end of the connection arrives together with the hello: it is gone before anybody can use it.
    const watched = watch(guest.port, {
      onUp(connection) {
        if (++flaps <= 3) connection.close(new LinkError("interrupted", "gone again"));
      },
    });
    const connection = await watched.link.ready(forever);
    expect(flaps).toBe(4);
    expect(connection).toBe(watched.link.current);
  });

  it("dials a guest that comes and goes at once ever more seldom", async () => {
    // The longest of the random pauses.
    vi.spyOn(Math, "random").mockReturnValue(0.999);
    const guest = await startGuest();
    const times: number[] = [];
    watch(guest.port, {
      onUp(connection) {
        times.push(performance.now());
        connection.close(new LinkError("interrupted", "gone again"));
      },
    });
    await until("it came and went", () => times.length === 5);
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(pauses[0]).toBeLessThan(300);
    expect(pauses[3]).toBeGreaterThan(700);
  });

  it("gives each attempt 5 s for dial and hello together, says so and tries again", async () => {
    const guest: Guest = await startGuest({ on: { hello: "keep" } });
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const watched = watch(guest.port);
    const { session } = await guest.next("hello");
    vi.advanceTimersByTime(4_999);
    expect(watched.downs).toEqual([]);
    vi.advanceTimersByTime(1);
    vi.useRealTimers();
    await soon("the socket to close", session.closed);
    await until("the failure is told", () => watched.downs.length === 1);
    expect(watched.link.lastError).toBe("the guest did not finish its hello in time");
    guest.on = {};
    await expect(watched.link.ready(forever)).resolves.toBeDefined();
  });

  it("ends a dial that takes for ever", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const watched = watch(1, {
      dial: (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        }),
    });
    vi.advanceTimersByTime(5_000);
    vi.useRealTimers();
    await until("it fails", () => watched.downs.length > 0);
    expect(watched.downs[0]).toMatchObject({ code: "unreachable", message: "no connection within 5 s" });
  });

  it("goes on after a guest that is refused, in case another takes its place", async () => {
    const guest = await startGuest({ agentId: "b" });
    const watched = watch(guest.port);
    await until("it was refused", () => watched.downs.length > 0);
    expect(watched.link.lastError).toBe('the guest says it is agent "b"');
    guest.agentId = "a";
    await expect(watched.link.ready(forever)).resolves.toBeDefined();
  });
});

describe("a link that is closed", () => {
  it("ends its connection with the reason, and dials no more", async () => {
    const guest = await startGuest();
    const watched = watch(guest.port);
    const connection = await watched.link.ready(forever);
    close(watched.link);
    expect(await connection.closed).toMatchObject({ code: "closed", message: "the agent was removed" });
    await settle();
    expect(watched.dials).toBe(1);
    expect(watched.link.current).toBeUndefined();
  });

  it("fails those who wait, and those who come after, at once", async () => {
    const watched = watch(await freePort());
    const waiting = failureOf(watched.link.ready(forever));
    await settle();
    const began = performance.now();
    close(watched.link);
    expect(await waiting).toMatchObject({ code: "unreachable" });
    expect(await failureOf(watched.link.ready(forever))).toMatchObject({ code: "unreachable" });
    expect(performance.now() - began).toBeLessThan(1_000);
  });

  it("while it shakes hands leaves no connection behind", async () => {
    const guest = await startGuest({ on: { hello: "keep" } });
    const watched = watch(guest.port);
    const { session } = await guest.next("hello");
    close(watched.link);
    await soon("the socket to close", session.closed);
    expect(watched.ups).toEqual([]);
  });
});

it("keeps no memory of failed attempts on a link that never comes up", async () => {
  const reactions = new Map<unknown, number>();
  // oxlint-disable-next-line typescript/unbound-method -- it is called with Reflect.apply
  const { then } = Promise.prototype;
  // oxlint-disable-next-line no-extend-native, unicorn/no-thenable -- who holds on to whom can be seen nowhere else
  Promise.prototype.then = function count(...args: unknown[]) {
    reactions.set(this, (reactions.get(this) ?? 0) + 1);
    return Reflect.apply(then, this, args) as never;
  };
  try {
    const watched = watch(await freePort());
    await until("it has failed often", () => watched.dials > 5);
  } finally {
    // oxlint-disable-next-line no-extend-native, unicorn/no-thenable
    Promise.prototype.then = then;
  }
  expect(Math.max(...reactions.values())).toBeLessThanOrEqual(2);
});

it("takes a port that another program has for what it is", async () => {
  // The first connection is gone before it is greeted.
  const server = createServer((socket) => socket.on("error", () => {}).end("SSH-2.0-OpenSSH_9.9\r\n"));
  const port = await freePort();
  await new Promise<void>((resolve) => {
    server.listen(port, "127.0.0.1", resolve);
  });
  afterFile(() => void server.close());
  connect(port, "127.0.0.1")
    .on("error", () => {})
    .destroy();
  const watched = watch(port);
  expect(await failureOf(watched.link.ready(AbortSignal.timeout(300)))).toMatchObject({
    code: "unreachable",
    message: expect.stringContaining("over the limit"),
  });
});
