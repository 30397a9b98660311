import { once } from "node:events";
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, it } from "vitest";
import { afterFile } from "../helpers/cleanup.ts";
import { type Stack, startStack } from "./stack.ts";

let stack: Stack;
let port: number;
let session: ClientHttp2Session;

beforeAll(async () => {
  stack = await startStack();
  ({ port } = stack.server);
  session = connectHttp2(stack.url);
  afterFile(() => session.destroy());
});

/** Sends bytes on a connection of its own, and reads what comes back to its end. */
async function raw(request: string): Promise<string> {
  const socket: Socket = connect(port, "127.0.0.1");
  let text = "";
  socket.on("data", (part: Buffer) => (text += part.toString("latin1")));
  socket.write(request);
  await once(socket, "close");
  return text;
}

function http1(method: string, target: string, headers: Record<string, string>, body = ""): Promise<string> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const size = body === "" ? "" : `content-length: ${Buffer.byteLength(body)}\r\n`;
  return raw(`${method} ${target} HTTP/1.1\r\n${lines.join("")}${size}connection: close\r\n\r\n${body}`);
}

const json = { host: "localhost", "content-type": "application/json" };
const send = "/valinor.v1.AgentProxy/SendMessage";
const hello = '{"agentId":"demo","message":{"content":"!echo hello"}}';

/** A call over HTTP/2 as bytes: status, headers, trailers, body. */
async function http2(path: string, headers: Record<string, string>, body: Buffer | string) {
  const stream = session.request({ ":method": "POST", ":path": path, ...headers });
  let trailers: Record<string, unknown> = {};
  stream.on("trailers", (got: Record<string, unknown>) => (trailers = got));
  stream.end(body);
  const [answer] = (await once(stream, "response")) as [Record<string, unknown>];
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part as Buffer);
  return { headers: answer, trailers, body: Buffer.concat(parts) };
}

function envelope(message: Buffer | string, flags = 0): Buffer {
  const bytes = Buffer.from(message);
  const head = Buffer.alloc(5);
  head[0] = flags;
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

describe("an absolute-form target", () => {
  it.each(["/healthz", "/readyz", "/agents/demo", "/v1/models", "/console/"])("leads to %s", async (path) => {
    const answer = await http1("GET", `http://localhost:${port}${path}`, { host: "localhost" });
    expect(answer).toMatch(/^HTTP\/1\.1 (200|503)/);
    expect(answer).toContain((await http1("GET", path, { host: "localhost" })).slice(0, 15));
  });

  it("leads to an RPC", async () => {
    const answer = await http1("POST", `http://localhost:${port}${send}`, json, hello);
    expect(answer).toContain("HTTP/1.1 200");
    expect(answer).toContain("hello");
  });

  it("is judged by its own authority, and not by the Host beside it", async () => {
    expect(await http1("GET", "http://evil.example/agents", { host: "localhost" })).toContain("HTTP/1.1 403");
    expect(await http1("GET", "http://localhost/agents", { host: "evil.example" })).toContain("HTTP/1.1 200");
  });

  it("without a path is the path /", async () => {
    expect(await http1("GET", "http://localhost", { host: "localhost" })).toContain("location: /console/");
  });
});

describe("a path that is not quite one", () => {
  it.each(["//v1/models", "/v1//models", "/v1/chat/completions/", "//v1/chat/completions"])(
    "%s is refused as OpenAI's clients read it, with the path to write",
    async (path) => {
      const answer = await http1("GET", path, json);
      expect(answer).toContain("HTTP/1.1 404");
      const body = JSON.parse(answer.slice(answer.indexOf("{"))) as {
        error: { code: string; message: string };
      };
      expect(body.error.code).toBe("not_found");
      expect(body.error.message).toMatch(/write \/v1\/(models|chat\/completions), /);
    },
  );

  it.each(["//agents", "/agents//demo", "/healthz/", "//api/v1/agents"])(
    "%s is refused as REST's clients read it",
    async (path) => {
      const answer = await http1("GET", path, json);
      expect(answer).toContain("HTTP/1.1 404");
      expect(JSON.parse(answer.slice(answer.indexOf("{")))).toMatchObject({ reason: "NOT_FOUND" });
    },
  );

  it.each([`/${send}`, `${send}/`, "/valinor.v1.AgentProxy/Nope", "/valinor.v1.AgentProxy"])(
    "%s is refused as Connect's clients read it",
    async (path) => {
      const answer = await http1("POST", path, json, hello);
      expect(answer).toContain("HTTP/1.1 404");
      expect(JSON.parse(answer.slice(answer.indexOf("{")))).toMatchObject({
        code: "unimplemented",
        message: expect.stringContaining("no method at this path") as string,
      });
    },
  );

  it("is refused in trailers over gRPC, whatever the service", async () => {
    for (const path of ["/valinor.v1.AgentProxy/Nope", "/other.v1.Service/Call"]) {
      const { headers, trailers } = await http2(path, { "content-type": "application/grpc" }, envelope(""));
      expect(headers[":status"]).toBe(200);
      expect(trailers).toMatchObject({
        "grpc-status": "12",
        "grpc-message": "there is no method at this path",
      });
    }
  });

  it("is refused in a trailer frame over gRPC-Web, and in base64 if the client reads that", async () => {
    const { body } = await http2("/other.v1.Service/Call", { "content-type": "application/grpc-web" }, "");
    expect(body[0]).toBe(0x80);
    expect(body.subarray(5).toString()).toContain("grpc-status: 12");
    const text = await http2("/other.v1.Service/Call", { "content-type": "application/grpc-web-text" }, "");
    expect(Buffer.from(text.body.toString(), "base64").subarray(5).toString()).toContain("grpc-status: 12");
  });

  it("is served if only letters are percent-encoded", async () => {
    expect(await http1("GET", "/%61gents/d%65mo", json)).toContain("HTTP/1.1 200");
    expect(await http1("GET", "/%68ealthz", json)).toContain("HTTP/1.1 200");
    const encoded = "/valinor%2Ev1.AgentProxy/SendMess%61ge";
    expect(await http1("POST", encoded, json, hello)).toContain("HTTP/1.1 200");
  });
});

describe("an RPC in a form that is not spoken here", () => {
  it.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/grpc+thrift",
    "application/connect+json",
  ])("%s is 415, with the types that are", async (type) => {
    const answer = await http1("POST", send, { ...json, "content-type": type }, hello);
    expect(answer).toContain("HTTP/1.1 415");
    expect(answer.toLowerCase()).toContain("accept-post: application/json, application/proto");
    const { code, message } = JSON.parse(answer.slice(answer.indexOf("{"))) as Record<string, string>;
    expect(code).toBe("invalid_argument");
    expect(message).toContain(JSON.stringify(type));
    expect(answer.includes("grpc-status: 3")).toBe(type.includes("grpc"));
  });

  it("GET of a method that changes something is 405, with the ones to use", async () => {
    const answer = await http1("GET", send, { host: "localhost" });
    expect(answer).toContain("HTTP/1.1 405");
    expect(answer).toMatch(/^allow: POST\r$/im);
    expect(JSON.parse(answer.slice(answer.indexOf("{")))).toMatchObject({ message: "use POST" });
  });

  it("a stream both ways over HTTP/1 is told to use HTTP/2", async () => {
    const path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    const answer = await http1("POST", path, { ...json, "content-type": "application/connect+json" }, "");
    expect(answer).toContain("HTTP/1.1 505");
    expect(answer).toContain("needs HTTP/2");
  });
});

describe("a message in the query of a GET", () => {
  const path = "/valinor.v1.AgentProxy/GetAgentStatus";
  /** GetAgentStatusRequest{agent_id: "demo"}. */
  const status = Buffer.from("0a0464656d6f", "hex");
  const get = (query: Record<string, string>) =>
    http1("GET", `${path}?${new URLSearchParams({ connect: "v1", ...query }).toString()}`, {
      host: "localhost",
    });

  it.each([
    ["JSON", { encoding: "json", message: '{"agentId":"demo"}' }],
    ["JSON as base64", { encoding: "json", base64: "1", message: btoa('{"agentId":"demo"}') }],
    ["binary", { encoding: "proto", base64: "1", message: status.toString("base64url") }],
    ["binary, padded", { encoding: "proto", base64: "1", message: status.toString("base64") }],
    [
      "compressed",
      {
        encoding: "proto",
        base64: "1",
        compression: "gzip",
        message: gzipSync(status).toString("base64url"),
      },
    ],
  ])("is read: %s", async (_, query) => {
    expect(await get(query)).toContain("HTTP/1.1 200");
  });

  it.each([
    ["that is no base64", { encoding: "proto", base64: "1", message: "a*b" }],
    ["that is no message", { encoding: "proto", base64: "1", message: "AAAA" }],
    ["with text that is not UTF-8", { encoding: "proto", base64: "1", message: "CgTLQNoB" }],
    ["that is no JSON", { encoding: "json", message: '{"agentId":' }],
    ["that nests too deep", { encoding: "json", message: `{"x":${"[".repeat(2_000)}` }],
    ["that is not gzip", { encoding: "proto", base64: "1", compression: "gzip", message: "AAAA" }],
  ])("%s is an invalid argument", async (_, query) => {
    const answer = await get(query);
    expect(answer).toContain("HTTP/1.1 400");
    expect(answer).toContain('"code":"invalid_argument"');
  });

  it("in a form or compression that nobody knows is answered as it always was", async () => {
    expect(await get({ encoding: "xml", message: "x" })).toContain("HTTP/1.1 415");
    expect(await get({ encoding: "json", message: "{}", compression: "zip" })).toContain("unimplemented");
  });
});

describe("application/grpc-web-text", () => {
  const type = "application/grpc-web-text+proto";
  /** SendMessageRequest{agent_id: "demo", message: {content: "!echo hello"}}. */
  const message = Buffer.from("0a0464656d6f120d120b216563686f2068656c6c6f", "hex");

  /** Every segment of a text answer, decoded. */
  function decode(body: Buffer): string {
    const segments = body.toString().match(/[^=]+={0,2}/g) ?? [];
    return Buffer.concat(segments.map((segment) => Buffer.from(segment, "base64"))).toString();
  }

  it("is answered in base64", async () => {
    const { headers, body } = await http2(
      send,
      { "content-type": type },
      envelope(message).toString("base64"),
    );
    expect(headers["content-type"]).toBe(type);
    expect(body.toString()).toMatch(/^[A-Za-z0-9+/=]+$/);
    expect(decode(body)).toContain("hello");
    expect(decode(body)).toContain("grpc-status: 0");
  });

  it("may be cut and padded anywhere", async () => {
    const bytes = envelope(message);
    const padded = bytes.subarray(0, 4).toString("base64") + bytes.subarray(4).toString("base64");
    expect(padded.slice(0, -2)).toContain("=");
    const { body } = await http2(send, { "content-type": type }, padded);
    expect(decode(body)).toContain("hello");
  });

  it("that is no base64 is an invalid argument", async () => {
    const { body } = await http2(send, { "content-type": type }, "AAAA!AAA");
    expect(decode(body)).toContain("grpc-status: 3");
  });

  it("streams a run", async () => {
    const { headers, body } = await http2(
      "/valinor.v1.AgentProxy/Stream",
      { "content-type": type },
      envelope(message).toString("base64"),
    );
    expect(headers["x-accel-buffering"]).toBe("no");
    expect(decode(body)).toContain("grpc-status: 0");
  });
});

describe("a deadline beyond a day", () => {
  it.each([
    ["connect-timeout-ms", "86400001"],
    ["connect-timeout-ms", "9999999999"],
  ])("of Connect (%s: %s) is shortened", async (name, value) => {
    const answer = await http1("POST", send, { ...json, [name]: value }, hello);
    expect(answer).toContain("HTTP/1.1 200");
  });

  it.each(["25H", "99999999H", "1441M", "99999999S"])("of gRPC (%s) is shortened", async (timeout) => {
    for (const type of ["application/grpc+json", "application/grpc-web+json"]) {
      const headers = { "content-type": type, "grpc-timeout": timeout };
      for (const path of [send, "/valinor.v1.AgentProxy/Stream", "/valinor.v1.AgentRegistry/ListAgents"]) {
        const { trailers, body } = await http2(path, headers, envelope(path.endsWith("s") ? "{}" : hello));
        expect(trailers["grpc-status"] ?? body.toString()).toMatch(/^0$|grpc-status: 0/);
      }
    }
  });

  it.each(["10000000000", "1e3", "-1", ""])(
    "that is none (connect-timeout-ms: %j) is refused",
    async (value) => {
      const answer = await http1("POST", send, { ...json, "connect-timeout-ms": value }, hello);
      expect(answer).toContain("HTTP/1.1 400");
      expect(answer).toContain("invalid_argument");
    },
  );

  it.each(["100000000H", "1h", "H"])("that is none (grpc-timeout: %s) is refused", async (timeout) => {
    const headers = { "content-type": "application/grpc+json", "grpc-timeout": timeout };
    expect((await http2(send, headers, envelope(hello))).trailers["grpc-status"]).toBe("3");
  });
});

describe("a probe", () => {
  const check = "/grpc.health.v1.Health/Check";

  it.each(["10.244.0.5:8080", "valinor.default.svc", "evil.example"])(
    "may name the server %s",
    async (host) => {
      expect(await http1("GET", "/healthz", { host })).toContain("HTTP/1.1 200");
      expect(await http1("GET", "/readyz?verbose", { host })).toContain("HTTP/1.1 200");
      const connectAnswer = await http1("POST", check, { ...json, host }, "{}");
      expect(connectAnswer).toContain("HTTP/1.1 200");
      expect(connectAnswer).toContain("SERVING");
      for (const type of ["application/grpc+json", "application/grpc-web+json"]) {
        const headers = { ":authority": host, "content-type": type };
        expect((await http2(check, headers, envelope("{}"))).body.toString()).toContain("SERVING");
      }
    },
  );

  it("may name no host over HTTP/1.0", async () => {
    expect(await raw("GET /healthz HTTP/1.0\r\n\r\n")).toContain("HTTP/1.1 200");
    const post = `POST ${check} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}`;
    expect(await raw(post)).toContain("SERVING");
  });

  it("may watch under any name", async () => {
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Watch",
      ":authority": "10.244.0.5:8080",
      "content-type": "application/grpc+json",
    });
    stream.end(envelope("{}"));
    const [first] = (await once(stream, "data")) as [Buffer];
    expect(first.toString()).toContain("SERVING");
    stream.close();
  });

  it("of a page whose name leads here is refused, as is everything else under a foreign name", async () => {
    const page = { ...json, host: "evil.example", origin: "http://evil.example" };
    expect(await http1("POST", check, page, '{"service":"agents/demo"}')).toContain("HTTP/1.1 403");
    expect(await http1("GET", "/healthz/x", { host: "evil.example" })).toContain("HTTP/1.1 403");
    expect(await http1("GET", "/agents", { host: "evil.example" })).toContain("HTTP/1.1 403");
  });
});

describe("every streaming answer", () => {
  const stream = '{"agentId":"demo","message":{"content":"!words 2"}}';
  const wanted = { "x-accel-buffering": "no", "cache-control": "no-cache, no-transform" };

  it.each([
    ["/valinor.v1.AgentProxy/Stream", "application/connect+json", stream],
    ["/valinor.v1.AgentProxy/Stream", "application/grpc+json", stream],
    ["/valinor.v1.AgentProxy/Stream", "application/grpc-web+json", stream],
    ["/valinor.v1.AgentProxy/Stream", "application/connect+json", "broken"],
    ["/valinor.v1.AgentRegistry/WatchAgents", "application/connect+json", "{}"],
    ["/valinor.v1.AgentRegistry/WatchAgents", "application/grpc-web+json", "{}"],
    ["/grpc.health.v1.Health/Watch", "application/grpc+json", "{}"],
    [
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
      "application/grpc+json",
      '{"listServices":""}',
    ],
  ])("%s as %s tells proxies to hand it on", async (path, type, body) => {
    const call = session.request({ ":method": "POST", ":path": path, "content-type": type });
    call.end(envelope(body));
    const [headers] = (await once(call, "response")) as [Record<string, unknown>];
    expect(headers).toMatchObject(wanted);
    call.close();
  });

  it.each([
    ["/agents/demo/stream", '{"content":"!words 2"}'],
    [
      "/v1/chat/completions",
      '{"model":"demo","stream":true,"messages":[{"role":"user","content":"!words 2"}]}',
    ],
  ])("%s tells them so too", async (path, body) => {
    const response = await fetch(stack.url + path, {
      method: "POST",
      body,
      headers: { "content-type": "application/json" },
    });
    await response.text();
    expect(Object.fromEntries(response.headers)).toMatchObject(wanted);
  });
});
