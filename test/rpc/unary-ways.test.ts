import { connect as connectHttp2 } from "node:http2";
import { connect as connectSocket } from "node:net";
import { once } from "node:events";
import { gzipSync } from "node:zlib";
import { create, toBinary } from "@bufbuild/protobuf";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { SendMessageRequestSchema } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { reasons } from "../../src/core/errors.ts";
import { requestLimits } from "../../src/core/request-limits.ts";
import { envelope, overHttp1, overHttp2, startBothWays, type Way } from "./two-ways.ts";

let library: Way;
let direct: Way;

beforeAll(async () => {
  ({ library, direct } = await startBothWays());
});

beforeEach(() => {
  for (const way of [library, direct]) {
    way.sent.length = 0;
    way.internal.length = 0;
    way.aborted.length = 0;
  }
});

const SEND = "/valinor.v1.AgentProxy/SendMessage";
const ask = (content: string) => ({ agentId: "a1", message: { content } });
const json = (content: string) => JSON.stringify(ask(content));
const binary = (content: string) =>
  Buffer.from(toBinary(SendMessageRequestSchema, create(SendMessageRequestSchema, ask(content))));

/** The calls that the core of either way got, for comparison. */
function asked(way: Way): unknown[] {
  return way.sent.map(({ input, tenant }) => ({ input, tenant }));
}

/** Which way the calls of the direct server came. */
function waysTaken(): boolean[] {
  return direct.sent.map((call) => call.direct);
}

interface Http1Case {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** The body is sent in pieces of a byte each. */
  readonly dribble?: boolean;
  /** The body is sent in chunks of HTTP, without a length. */
  readonly chunked?: boolean;
  /** That the call comes directly to the core; undefined if it comes to no core. */
  readonly direct?: boolean;
}

function http1Bytes(one: Http1Case): (string | Buffer)[] {
  const { path = SEND, method = "POST", headers = {}, chunked = false, dribble = false } = one;
  const body = Buffer.from(one.body ?? json("hello"));
  const all: Record<string, string> = {
    host: "localhost",
    "content-type": "application/json",
    ...(chunked ? { "transfer-encoding": "chunked" } : { "content-length": `${body.length}` }),
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    value === "-" ? [] : [`${name}: ${value}\r\n`],
  );
  const head = `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
  const size = (part: Buffer) => `${part.length.toString(16)}\r\n`;
  const sent = chunked
    ? [size(body), body, "\r\n0\r\n\r\n"]
    : dribble
      ? Array.from(body, (b) => Buffer.of(b))
      : [body];
  // The connection is as good as before, after an error as well.
  return [head, ...sent, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"];
}

const http1Cases: Readonly<Record<string, Http1Case>> = {
  "a plain message": { direct: true },
  "a message in binary": {
    headers: { "content-type": "application/proto" },
    body: binary("hello"),
    direct: true,
  },
  "a message that comes byte by byte": { dribble: true, direct: true },
  "a message in chunks without a length": { chunked: true, direct: true },
  ...Object.fromEntries(
    reasons.map((reason) => [`the error ${reason}`, { body: json(reason), direct: true }]),
  ),
  "an error that nobody foresaw": { body: json("crash"), direct: true },
  "an answer without anything": { body: json("nothing"), direct: true },
  "an answer with usage": { body: json("usage"), direct: true },
  "an answer whose usage is all zero": { body: json("no usage"), direct: true },
  "an answer with calls of tools": { body: json("tools"), direct: true },
  "an answer with calls of tools in binary": {
    headers: { "content-type": "application/proto" },
    body: binary("tools"),
    direct: true,
  },
  "an answer with half a pair": { body: json("half"), direct: true },
  "a long answer": { body: json("long"), direct: true },
  "a long answer that may be compressed": {
    headers: { "accept-encoding": "gzip, br" },
    body: json("long"),
    direct: true,
  },
  "a long answer that may be compressed by another": {
    headers: { "accept-encoding": "deflate, br;q=1, br" },
    body: json("long"),
    direct: true,
  },
  "a long answer that may not be compressed": {
    headers: { "accept-encoding": "identity" },
    body: json("long"),
    direct: true,
  },
  "a short answer that may be compressed": { headers: { "accept-encoding": "gzip" }, direct: true },
  "every field, under the schema's names": {
    body: '{"agent_id":"a1","message":{"role":"tool","content":"input"},"conversation_id":"c","request_id":"r","allow_stale_config":true}',
    direct: true,
  },
  "every field, with spaces and in another order": {
    body: ' { "allowStaleConfig" : false ,\n"message" : {\t"content" : "input" } , "requestId":"r","conversationId":"c", "agentId" : "a1"}\r\n',
    direct: true,
  },
  "a message with escapes": {
    body: String.raw`{"agentId":"a1","message":{"content":"input \u00e9\"\\\ud83d\ude00"}}`,
    direct: true,
  },
  "a message with half a pair": { body: String.raw`{"agentId":"a1","message":{"content":"\ud83d"}}` },
  "a message beyond ASCII": {
    body: '{"agentId":"a1","message":{"content":"héllo 😀 \u2028"}}',
    direct: true,
  },
  "a byte order mark": { body: `\ufeff${json("input")}`, direct: true },
  "unknown fields": {
    body: '{"agentId":"a1","extra":[1,{"a":null}],"message":{"content":"input","more":1}}',
    direct: true,
  },
  "null for fields": {
    body: '{"agentId":"a1","requestId":null,"allowStaleConfig":null,"message":{"role":null,"content":"input"}}',
    direct: true,
  },
  "a field twice": { body: '{"agentId":"a1","agentId":"a2","message":{"content":"x"}}' },
  "a field twice inside": { body: '{"agentId":"a1","message":{"content":"x","content":"y"}}' },
  "a field under both its names": { body: '{"agentId":"a1","agent_id":"a2","message":{"content":"x"}}' },
  "a field under an escaped name": {
    body: String.raw`{"agentId":"a1","\u006dessage":{"content":"input"}}`,
    direct: true,
  },
  "an unknown field twice": { body: '{"x":1,"x":2,"agentId":"a1","message":{"content":"x"}}' },
  "a prototype": {
    body: '{"__proto__":{"agentId":"x"},"agentId":"a1","message":{"content":"input"}}',
    direct: true,
  },
  "text that is not UTF-8": {
    body: Buffer.from('{"agentId":"a1","message":{"content":"\xff\xc0input"}}', "latin1"),
    direct: true,
  },
  "a control character in a text": { body: '{"agentId":"a1","message":{"content":"a\nb"}}' },
  "a number for a text": { body: '{"agentId":1,"message":{"content":"x"}}' },
  "a text for a flag": { body: '{"agentId":"a1","allowStaleConfig":"true","message":{"content":"x"}}' },
  "a word that only begins like true": {
    body: '{"agentId":"a1","allowStaleConfig":truely,"message":{"content":"x"}}',
  },
  "a list for a message": { body: '{"agentId":"a1","message":[]}' },
  "no JSON": { body: "hello" },
  "JSON that is cut off": { body: '{"agentId":"a1","message":{"content":"x"}' },
  "JSON with something behind it": { body: `${json("x")} {}` },
  "JSON with a comma at its end": { body: '{"agentId":"a1","message":{"content":"x"},}' },
  "a list": { body: "[]" },
  "a text that is all": { body: '"x"' },
  "an empty body": { body: "" },
  "an empty body in binary": { headers: { "content-type": "application/proto" }, body: "" },
  "bytes that are no message": { headers: { "content-type": "application/proto" }, body: "hello" },
  "JSON that nests too deep": { body: `{"x":${"[".repeat(100)}${"]".repeat(100)}}` },
  "no agent": { body: '{"message":{"content":"x"}}' },
  "an agent whose id breaks the rules": { body: '{"agentId":"-a","message":{"content":"x"}}' },
  "no message": { body: '{"agentId":"a1"}' },
  "a role that nobody has": { body: '{"agentId":"a1","message":{"role":"system","content":"x"}}' },
  "a request id that breaks the rules": {
    body: '{"agentId":"a1","requestId":"a b","message":{"content":"x"}}',
  },
  "several broken rules": { body: '{"agentId":"","requestId":"a b","message":{"role":"x"}}' },
  "a text of the most bytes": { body: json("x".repeat(1024 * 1024)), direct: true },
  "a text over the most bytes": { body: json("x".repeat(1024 * 1024 + 1)) },
  "a text over the most bytes, but not characters": { body: json("é".repeat(600_000)) },
  "a body over its bound": { body: json("x".repeat(requestLimits.largeBytes)) },
  "a body over its bound without a length": {
    body: json("x".repeat(requestLimits.largeBytes)),
    chunked: true,
  },
  "a compressed body": {
    headers: { "content-encoding": "gzip" },
    body: gzipSync(json("hello")),
    direct: false,
  },
  "a body that is said to be as it is": { headers: { "content-encoding": "identity" }, direct: true },
  "an encoding that is not known": { headers: { "content-encoding": "zstd" } },
  "a type with a charset": { headers: { "content-type": "application/json; charset=utf-8" }, direct: false },
  "a type in capitals": { headers: { "content-type": "Application/JSON" }, direct: false },
  "a type that is not known": { headers: { "content-type": "text/plain" } },
  "no type": { headers: { "content-type": "-" } },
  "a query": { path: `${SEND}?x=1`, direct: false },
  "gRPC-Web": {
    headers: { "content-type": "application/grpc-web+proto" },
    body: envelope(binary("hello")),
    direct: false,
  },
  "GET of a method that changes something": { method: "GET", body: "" },
  HEAD: { method: "HEAD", body: "" },
  OPTIONS: { method: "OPTIONS", body: "" },
  PUT: { method: "PUT" },
  "a preflight of an allowed page": {
    method: "OPTIONS",
    body: "",
    headers: { origin: "https://app.example", "access-control-request-method": "POST" },
  },
  "a page that is allowed": { headers: { origin: "https://app.example" }, direct: true },
  "a page that is not allowed": { headers: { origin: "https://evil.example" } },
  "a request that a page of another site caused": { headers: { "sec-fetch-site": "cross-site" } },
  "an error for a page that is allowed": {
    headers: { origin: "https://app.example" },
    body: json("AGENT_NOT_FOUND"),
    direct: true,
  },
  "a Host that is not ours": { headers: { host: "evil.example" } },
  "a Host that is none": { headers: { host: "a b" } },
  "a path with encoded letters": { path: SEND.replace("SendMessage", "%53endMessage"), direct: true },
  "an absolute target": { path: `http://localhost${SEND}`, direct: true },
  "a credential that is bad": { headers: { authorization: "Bearer bad" } },
  "a credential that turns out bad later": { headers: { authorization: "Bearer bad-later" } },
  "a credential that can't be looked up": { headers: { authorization: "Bearer broken" } },
  "a credential that is looked up": { headers: { authorization: "Bearer later" }, direct: true },
  "a credential that is bad, before a large body": {
    headers: { authorization: "Bearer bad" },
    body: json("x".repeat(requestLimits.largeBytes)),
  },
  "another tenant": { headers: { "x-valinor-tenant": "other" }, direct: true },
  "a caller over its quota": { headers: { "x-valinor-tenant": "poor" } },
  "a caller who may not": { headers: { "x-valinor-tenant": "shut" } },
  "a deadline that is met": { headers: { "connect-timeout-ms": "60000" }, direct: true },
  "a deadline that is longer than any call": {
    headers: { "connect-timeout-ms": "9999999999" },
    direct: true,
  },
  "a deadline that passes": { headers: { "connect-timeout-ms": "30" }, body: json("hang"), direct: true },
  "a deadline of nothing": { headers: { "connect-timeout-ms": "0" }, body: json("hang"), direct: true },
  "a deadline that is malformed": { headers: { "connect-timeout-ms": "1s" } },
  "another method": {
    path: "/valinor.v1.AgentProxy/CancelMessage",
    body: '{"agentId":"a1","requestId":"r","reason":"because"}',
  },
  "another method with a broken rule": {
    path: "/valinor.v1.AgentProxy/CancelMessage",
    body: '{"agentId":"a1"}',
  },
  "another method over its bound": {
    path: "/valinor.v1.AgentProxy/CancelMessage",
    body: JSON.stringify({ agentId: "a1", requestId: "r", reason: "x".repeat(requestLimits.smallBytes) }),
  },
  "a method whose request holds any JSON": {
    path: "/valinor.v1.AgentProxy/PushConfig",
    body: '{"agentId":"a1","config":{"a":[1,null,{"b":"c"}]}}',
  },
  "a method that says more than it did": {
    path: "/valinor.v1.AgentProxy/PushContext",
    body: '{"agentId":"a1","context":"what to know"}',
  },
  "a method that is not implemented here": {
    path: "/valinor.v1.AgentProxy/GetAgentStatus",
    body: '{"agentId":"a1"}',
  },
};

describe("over HTTP/1 the direct way answers as the library does", () => {
  it.each(Object.entries(http1Cases))("%s", async (_name, one) => {
    const bytes = http1Bytes(one);
    const [want, got] = [await overHttp1(library.port, bytes), await overHttp1(direct.port, bytes)];
    expect(got).toBe(want);
    expect(want).toMatch(/^HTTP\/1\.1 \d{3} /);
    expect(asked(direct)).toEqual(asked(library));
    expect(direct.internal).toEqual(library.internal);
    expect(waysTaken()).toEqual(one.direct === undefined ? [] : [one.direct]);
  });
});

interface Http2Case {
  readonly headers?: Readonly<Record<string, string>>;
  readonly pieces?: readonly Buffer[];
  /** The client does not end its request. */
  readonly open?: boolean;
  readonly direct?: boolean;
}

const grpc = (content: string) => [envelope(binary(content))];
const hello = envelope(binary("hello"));

const http2Cases: Readonly<Record<string, Http2Case>> = {
  "a plain message": { direct: true },
  "a message whose type names its codec": {
    headers: { "content-type": "application/grpc+proto" },
    direct: true,
  },
  "a message that comes byte by byte": { pieces: Array.from(hello, (byte) => Buffer.of(byte)), direct: true },
  ...Object.fromEntries(
    reasons.map((reason) => [`the error ${reason}`, { pieces: grpc(reason), direct: true }]),
  ),
  "an error that nobody foresaw": { pieces: grpc("crash"), direct: true },
  "an answer without anything": { pieces: grpc("nothing"), direct: true },
  "an answer with usage": { pieces: grpc("usage"), direct: true },
  "an answer with calls of tools": { pieces: grpc("tools"), direct: true },
  "an answer with half a pair": { pieces: grpc("half"), direct: true },
  "a long answer": { pieces: grpc("long"), direct: true },
  "a long answer that may be compressed": {
    headers: { "grpc-accept-encoding": "identity,deflate,gzip" },
    pieces: grpc("long"),
    direct: true,
  },
  "a short answer that may be compressed": { headers: { "grpc-accept-encoding": "br,gzip" }, direct: true },
  "an error where the answer may be compressed": {
    headers: { "grpc-accept-encoding": "gzip" },
    pieces: grpc("AGENT_BUSY"),
    direct: true,
  },
  "an encoding of the answer that is not known": {
    headers: { "grpc-accept-encoding": "zstd" },
    direct: true,
  },
  "a compressed message": {
    headers: { "grpc-encoding": "gzip" },
    pieces: [envelope(gzipSync(binary("hello")), 1)],
    direct: false,
  },
  "messages that are said to be as they are": { headers: { "grpc-encoding": "identity" }, direct: true },
  "an encoding that is not known": { headers: { "grpc-encoding": "zstd" } },
  "a message that is compressed with nothing": { pieces: [envelope(binary("hello"), 1)] },
  "a message with flags that nobody knows": { pieces: [envelope(binary("hello"), 0x82)], direct: true },
  "no message": { pieces: [] },
  "an empty message": { pieces: [envelope(Buffer.alloc(0))] },
  "two messages": { pieces: [hello, hello] },
  "two messages in one piece": { pieces: [Buffer.concat([hello, hello])] },
  "a second message that is no message": { pieces: [hello, envelope(Buffer.from("hello"))] },
  "a message that is cut off": { pieces: [hello.subarray(0, -1)] },
  "a head that is cut off": { pieces: [hello.subarray(0, 3)] },
  "a message and a half": { pieces: [hello, hello.subarray(0, -1)] },
  "bytes that are no message": { pieces: [envelope(Buffer.from("hello"))] },
  "bytes that are no message, in a request that does not end": {
    pieces: [envelope(Buffer.from("hello"))],
    open: true,
  },
  "text that is not UTF-8": { pieces: [envelope(Buffer.from([0x0a, 2, 0xff, 0xfe]))] },
  "a field that is not known": {
    pieces: [envelope(Buffer.concat([binary("input"), Buffer.from([0xa2, 6, 1, 0x61])]))],
    direct: true,
  },
  "a field twice": { pieces: [envelope(Buffer.concat([binary("x"), binary("input")]))], direct: true },
  "a message over its bound": { pieces: [Buffer.from([0, 0xff, 0xff, 0xff, 0xff])] },
  "a message over its bound, in a request that does not end": {
    pieces: [Buffer.from([0, 0x7f, 0, 0, 0])],
    open: true,
  },
  "several broken rules": {
    pieces: [
      envelope(toBinary(SendMessageRequestSchema, create(SendMessageRequestSchema, { requestId: "a b" }))),
    ],
  },
  JSON: {
    headers: { "content-type": "application/grpc+json" },
    pieces: [envelope(Buffer.from(json("hello")))],
    direct: false,
  },
  "Connect over HTTP/2": {
    headers: { "content-type": "application/json" },
    pieces: [Buffer.from(json("hello"))],
    direct: false,
  },
  "a type that is not known": { headers: { "content-type": "application/grpc+xml" } },
  GET: { headers: { ":method": "GET" }, pieces: [] },
  "a query": { headers: { ":path": `${SEND}?x=1` }, direct: false },
  "a path with encoded letters": { headers: { ":path": SEND.replace("Send", "%53end") }, direct: false },
  "a page that is allowed": { headers: { origin: "https://app.example" }, direct: true },
  "a page that is not allowed": { headers: { origin: "https://evil.example" } },
  "a request that a page of another site caused": { headers: { "sec-fetch-site": "cross-site" } },
  "a Host that is not ours": { headers: { ":authority": "evil.example" } },
  "two Hosts": { headers: { host: "other.localhost" } },
  "a credential that is bad": { headers: { authorization: "Bearer bad" } },
  "a credential that turns out bad later": { headers: { authorization: "Bearer bad-later" } },
  "a credential that is bad, in a request that does not end": {
    headers: { authorization: "Bearer bad" },
    open: true,
  },
  "a credential that is looked up": { headers: { authorization: "Bearer later" }, direct: true },
  "another tenant": { headers: { "x-valinor-tenant": "other" }, direct: true },
  "a caller over its quota": { headers: { "x-valinor-tenant": "poor" } },
  "a caller who may not": { headers: { "x-valinor-tenant": "shut" } },
  "a deadline that is met": { headers: { "grpc-timeout": "1M" }, direct: true },
  "a deadline that is longer than any call": { headers: { "grpc-timeout": "99999999H" }, direct: true },
  "a deadline that passes": { headers: { "grpc-timeout": "30m" }, pieces: grpc("hang"), direct: true },
  "a deadline of nothing": { headers: { "grpc-timeout": "0n" }, pieces: grpc("hang"), direct: true },
  "a deadline that is malformed": { headers: { "grpc-timeout": "1" } },
  "a client that waits to be told to go on": { headers: { expect: "100-continue" }, direct: false },
  "another method": {
    headers: { ":path": "/valinor.v1.AgentProxy/CancelMessage" },
    pieces: [envelope(Buffer.from([0x0a, 1, 0x61, 0x12, 1, 0x62]))],
  },
};

describe("over HTTP/2 the direct way answers gRPC as the library does", () => {
  it.each(Object.entries(http2Cases))("%s", async (_name, { headers, pieces = [hello], open, ...one }) => {
    const all = {
      ":method": "POST",
      ":path": SEND,
      ":authority": "localhost",
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    };
    const want = await overHttp2(library.port, all, pieces, open);
    const got = await overHttp2(direct.port, all, pieces, open);
    expect(got).toEqual(want);
    expect(want.headers[":status"]).toBeGreaterThan(0);
    expect(asked(direct)).toEqual(asked(library));
    expect(direct.internal).toEqual(library.internal);
    expect(waysTaken()).toEqual(one.direct === undefined ? [] : [one.direct]);
  });
});

describe("a client that leaves", () => {
  it("ends its call over HTTP/1, on either way", async () => {
    for (const way of [library, direct]) {
      const socket = connectSocket(way.port, "127.0.0.1");
      for (const piece of http1Bytes({ body: json("hang") }).slice(0, 2)) socket.write(piece);
      await expect.poll(() => way.aborted.length).toBe(1);
      socket.destroy();
      await way.aborted[0];
    }
    expect(waysTaken()).toEqual([true]);
  });

  it("ends its call over HTTP/2 by a reset, on either way, and its session goes on", async () => {
    for (const way of [library, direct]) {
      const session = connectHttp2(`http://127.0.0.1:${way.port}`);
      const headers = { ":method": "POST", ":path": SEND, "content-type": "application/grpc" };
      const stream = session.request(headers);
      stream.on("error", () => {});
      stream.end(grpc("hang")[0]);
      await expect.poll(() => way.aborted.length).toBe(1);
      stream.close(8);
      await way.aborted[0];
      const next = session.request(headers);
      next.end(hello);
      const [trailers] = await once(next.resume(), "trailers");
      expect(trailers).toMatchObject({ "grpc-status": "0" });
      session.destroy();
    }
    expect(waysTaken()).toEqual([true, true]);
  });

  it("is told of no call that it left before its message had come", async () => {
    const socket = connectSocket(direct.port, "127.0.0.1");
    const [head = "", body = ""] = http1Bytes({});
    socket.write(head);
    socket.write(body.slice(0, 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    // Not by a reset: Node's client ends its request before one.
    const gone = connectSocket(direct.port, "127.0.0.1");
    const session = connectHttp2("http://localhost", { createConnection: () => gone });
    const stream = session.request({ ":method": "POST", ":path": SEND, "content-type": "application/grpc" });
    for (const one of [session, stream]) one.on("error", () => {});
    stream.write(hello);
    await new Promise((resolve) => setTimeout(resolve, 50));
    gone.destroy();
    await once(stream, "close");
    const answer = await overHttp1(direct.port, http1Bytes({}));
    expect(answer).toContain("200 OK");
    expect(direct.sent).toHaveLength(1);
  });
});

describe("a server that waits for calls no longer", () => {
  it("ends a call with DRAINING, on either way and over either protocol", async () => {
    const both = await startBothWays();
    const answers = [both.library, both.direct].map(async (way) => {
      const calls = [
        overHttp1(way.port, http1Bytes({ body: json("hang") })),
        overHttp2(
          way.port,
          { ":method": "POST", ":path": SEND, ":authority": "localhost", "content-type": "application/grpc" },
          grpc("hang"),
        ),
      ];
      await expect.poll(() => way.aborted.length).toBe(2);
      way.cut();
      return Promise.all(calls);
    });
    const [want, got] = await Promise.all(answers);
    expect(got).toEqual(want);
    expect(JSON.stringify(got)).toContain("DRAINING");
    expect(both.direct.sent.map((call) => call.direct)).toEqual([true, true]);
  });
});
