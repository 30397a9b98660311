import { createHash, randomUUID } from "node:crypto";
import { beforeAll, describe, expect, it } from "vitest";
import { until } from "../helpers/until.ts";
import { buildGoClient, type Call, type Case, type GrpcClient, jsClient } from "./interop-calls.ts";
import { type InteropWorld, startInteropWorld } from "./interop-world.ts";

/*
 * gRPC's own libraries as clients of a real server, agent and model: what somebody sees who uses grpc-go or grpc-js with the schemas.
 */

const clients = new Map<string, GrpcClient>();
const worlds = new Map<string, InteropWorld>();

beforeAll(async () => {
  const [go, cleartext, tls] = await Promise.all([
    buildGoClient(),
    startInteropWorld(false),
    startInteropWorld(true),
  ]);
  clients.set("grpc-go", go).set("grpc-js", jsClient());
  worlds.set("in the clear", cleartext).set("over TLS", tls);
}, 600_000);

const LIBRARIES = ["grpc-go", "grpc-js"] as const;
const WAYS = ["in the clear", "over TLS"] as const;

/** Letters of a MiB. */
const MIB = 1024 * 1024;

function world(way: string): InteropWorld {
  const it = worlds.get(way);
  if (it === undefined) throw new Error(`no server ${way}`);
  return it;
}

function clientOn(library: string): GrpcClient {
  const client = clients.get(library);
  if (client === undefined) throw new Error(`no client on ${library}`);
  return client;
}

async function play(library: string, way: string, { token, ...what }: Case) {
  const { target } = world(way);
  const { calls, channel } = await clientOn(library).play(
    { ...target, ...(token !== undefined && { token }) },
    what,
  );
  const [first] = calls;
  if (first === undefined) throw new Error(`${library} told of no call`);
  return { first, calls, channel };
}

/** Hash of what the scripted model says to `!bytes`. */
function hashOfBytes(size: number): string {
  const line = `${"valinor ".repeat(8).trimEnd()}\n`;
  const text = line.repeat(Math.ceil(size / line.length)).slice(0, size);
  return createHash("sha256").update(text).digest("hex");
}

const words = (text: string) => text.trim().split(/\s+/).length;

describe.each(LIBRARIES)("%s", (library) => {
  describe.each(WAYS)("%s", (way) => {
    it("gets the answer to a message, with headers and trailers", async () => {
      const { first, channel } = await play(library, way, { case: "send", message: "!echo hello" });
      expect(first).toMatchObject({ code: "OK", text: "hello" });
      expect(first.header).toContain("content-type");
      expect(channel.connections).toBe(1);
    });

    it("reads a stream to its end", async () => {
      const { first } = await play(library, way, { case: "stream", id: randomUUID(), message: "!words 9" });
      expect(first).toMatchObject({ code: "OK", done: true, last: 10 });
      expect(words(first.text)).toBe(9);
    });

    it("leaves a stream, and its run ends if it was to be cancelled then", async () => {
      const { model } = world(way);
      const [id, aborted] = [randomUUID(), model.aborted];
      const message = "!pace 20 !words 5000";
      const left = await play(library, way, { case: "leave", id, message, after: 5, cancelRun: true });
      expect(left.first).toMatchObject({ code: "CANCELLED", done: false });
      await until("the model's answer was dropped", () => model.aborted === aborted + 1);
      const { first } = await play(library, way, { case: "stream", id });
      expect(first).toMatchObject({ code: "CANCELLED", reason: "RUN_CANCELLED" });
    });

    it("leaves a stream, and its run goes on where it was to", async () => {
      const id = randomUUID();
      const left = await play(library, way, { case: "leave", id, message: "!pace 20 !words 60", after: 5 });
      expect(left.first).toMatchObject({ code: "CANCELLED", done: false });
      const { first } = await play(library, way, { case: "stream", id });
      expect(first).toMatchObject({ code: "OK", done: true });
      expect(words(first.text)).toBe(60);
    });

    it.each(["send", "stream"] as const)("gets DEADLINE_EXCEEDED in time: %s", async (kind) => {
      const what = { case: kind, id: randomUUID(), message: "!stall 50", deadlineMs: 1_000 };
      const { first } = await play(library, way, what);
      expect(first.code).toBe("DEADLINE_EXCEEDED");
      expect(first.ms).toBeGreaterThan(900);
      expect(first.ms).toBeLessThan(6_000);
    });

    it.each([
      { what: "no credential", token: "" },
      { what: "a wrong one", token: "vlr_wrong" },
    ])("is told in the trailers that $what does not do", async ({ token }) => {
      const { first } = await play(library, way, { case: "send", message: "hello", token });
      expect(first).toMatchObject({
        code: "UNAUTHENTICATED",
        reason: "UNAUTHENTICATED",
        domain: "valinor.dev",
      });
      expect(first.trailer).toContain("grpc-status-details-bin");
    });

    it("reads the reason and the metadata of an error", async () => {
      const { first } = await play(library, way, { case: "send", message: "!fail 500" });
      expect(first).toMatchObject({ reason: "AGENT_ERROR", domain: "valinor.dev" });
      expect(first.metadata).toMatchObject({ agent_id: "demo", code: "openclaw_error" });
    });

    it("gets an answer of 3 MiB whole, and is told to read a longer one as a stream", async () => {
      const size = 3 * MIB;
      const { first } = await play(library, way, { case: "send", message: `!bytes ${size}` });
      expect(first).toMatchObject({ code: "OK", error: "", size, sha256: hashOfBytes(size) });
      const over = await play(library, way, { case: "send", message: `!bytes ${size + 1}` });
      expect(over.first).toMatchObject({
        code: "RESOURCE_EXHAUSTED",
        reason: "REPLY_TOO_LARGE",
        error: "the answer is over 3145728 bytes: read it with Stream",
      });
      const [id, more] = [randomUUID(), 5 * MIB];
      const long = await play(library, way, { case: "stream", id, message: `!bytes ${more}` });
      expect(long.first).toMatchObject({ code: "OK", error: "", size: more, sha256: hashOfBytes(more) });
    });

    it("gets RESOURCE_EXHAUSTED for a message over the bound, and its connection goes on", async () => {
      const { calls, channel } = await play(library, way, {
        case: "over",
        bytes: 5 * MIB,
        id: "",
        message: "!pace 10 !words 100",
      });
      const [over, after] = calls.filter(({ type }) => type === "send");
      const stream = calls.find(({ type }) => type === "stream");
      expect(over?.code).toBe("RESOURCE_EXHAUSTED");
      expect(after).toMatchObject({ code: "OK", text: "after" });
      expect(stream).toMatchObject({ code: "OK", done: true });
      expect(channel.connections).toBe(1);
    });

    it("makes 200 calls at once on one connection", async () => {
      const { calls, channel } = await play(library, way, { case: "many", count: 200 });
      expect(calls.filter(({ code }) => code !== "OK")).toEqual([]);
      expect([calls.length, channel.connections]).toEqual([200, 1]);
    });

    it("sends 200 messages at once, and is told of each that the agent has no room for", async () => {
      const { calls, channel } = await play(library, way, { case: "many", count: 200, message: "!echo one" });
      const told = calls.map(({ code, reason, text }) => (code === "OK" ? text : `${code} ${reason}`));
      expect(told.filter((each) => !["one", "RESOURCE_EXHAUSTED AGENT_BUSY"].includes(each))).toEqual([]);
      expect(told.filter((each) => each === "one").length).toBeGreaterThanOrEqual(50);
      expect([calls.length, channel.connections]).toEqual([200, 1]);
    });

    it("compresses with gzip, both ways", async () => {
      const text = "all the same ".repeat(8_000);
      const { first, channel } = await play(library, way, {
        case: "many",
        message: `!echo ${text}`,
        gzip: true,
      });
      expect([first.code, first.error, first.size]).toEqual(["OK", "", text.length]);
      expect(channel.written).toBeLessThan(text.length / 4);
      expect(channel.read).toBeLessThan(text.length / 4);
    });
  });
});

/** Milliseconds between pings, and how long they are sent. */
const PINGS_MS = 1_000;
const PINGING_MS = 12_000;
/** A PING frame, header included. */
const PING_BYTES = 17;

describe("a client that pings every second", () => {
  it("keeps its connection for as long as it wants to, idle or busy", async () => {
    const all = LIBRARIES.flatMap((library) => WAYS.map((way) => ({ library, way })));
    for (const { name, pinged, failed, connections } of await Promise.all(
      all.map(({ library, way }) => keepAlive(library, way)),
    )) {
      expect(pinged).toBeGreaterThan(6 * PING_BYTES);
      expect({ name, failed, connections }).toEqual({ name, failed: [], connections: [1, 1] });
    }
  });
});

async function keepAlive(library: string, way: string) {
  const pinging = { pingsMs: PINGS_MS, idleMs: PINGING_MS };
  const [silent, idle, busy] = await Promise.all([
    play(library, way, { case: "idle", idleMs: 0 }),
    play(library, way, { case: "idle", ...pinging }),
    play(library, way, { case: "busy", id: "", message: "!pace 50 !words 200", ...pinging }),
  ]);
  const both = [idle, busy];
  return {
    name: `${library} ${way}`,
    // What an idle client writes beyond what one that does not ping writes for its two calls.
    pinged: idle.channel.written - silent.channel.written,
    failed: both.flatMap(({ calls }) => calls).filter(({ code }) => code !== "OK"),
    connections: both.map(({ channel }) => channel.connections),
  };
}

/** Ends of calls, each once: the code, and of UNAVAILABLE the server's reason. */
function told(calls: readonly Call[]): string[] {
  const ends = calls.map(({ code, reason = "alone" }) =>
    code === "UNAVAILABLE" ? `${code} ${reason}` : code,
  );
  return [...new Set(ends)];
}

describe.each(LIBRARIES)("%s, when its server is stopped", (library) => {
  it.each(WAYS)("%s, is told of every call what became of it, and goes on where it was", async (way) => {
    const { target, stop, restart, model } = world(way);
    const [id, before] = [randomUUID(), model.calls];
    const { program, outcome } = clientOn(library).start(target, {
      case: "drain",
      id,
      count: 5,
      message: "!pace 20 !words 250",
    });
    await program.waitFor(/"ready"[^]*"meanwhile"/, { ms: 30_000 });
    expect(await stop()).toBe(0);
    await restart();
    const { calls } = await outcome;
    const of = (type: Call["type"]) => calls.filter((call) => call.type === type);
    const [streams, rests, sends] = [of("stream"), of("rest"), of("send")];
    for (const stream of streams)
      expect(stream).toMatchObject({
        code: "UNAVAILABLE",
        reason: "DRAINING",
        domain: "valinor.dev",
        retry_ms: 2_000,
        done: false,
        metadata: { agent_id: "demo", request_id: stream.id, last_sequence: String(stream.last) },
      });
    // The small calls: answered, or refused with a word; or there was no server, which the library says itself.
    expect(told(sends).filter((each) => !/^(OK|UNAVAILABLE (alone|DRAINING))$/.test(each))).toEqual([]);
    expect(told(sends)).toContain("OK");
    expect(streams.length).toBe(5);
    // Who asks too early is told so: by the old server, by the library that has no connection, by a new server without its agent yet.
    const early = /^(OK|UNAVAILABLE (alone|DRAINING|AGENT_UNREACHABLE))$/;
    expect(told(rests).filter((each) => !early.test(each))).toEqual([]);
    for (const { id: run, text } of streams) {
      const own = rests.filter((rest) => rest.id === run);
      expect(own.at(-1)).toMatchObject({ code: "OK", done: true });
      expect(words([text, ...own.map((rest) => rest.text)].join(""))).toBe(250);
    }
    // Nothing ran twice: the streams, and the small calls that were answered.
    const answered = sends.filter(({ code }) => code === "OK").length;
    expect(model.calls - before).toBeGreaterThanOrEqual(5 + answered);
    expect(model.calls - before).toBeLessThanOrEqual(5 + sends.length);
  });
});
