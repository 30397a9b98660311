import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { errorRow, reasons, ValinorError } from "../../src/core/errors.ts";
import type { SendInput } from "../../src/core/inputs.ts";
import { type AgentStatusView, type SendResult, signalOf } from "../../src/core/types.ts";
import { agent, fakeCore } from "./fake-core.ts";
import { ask, dial, readAll, readUntil, serveRest } from "./serving.ts";

const plain: SendResult = {
  requestId: "r1",
  content: "hi",
  finishReason: "stop",
  toolCalls: [],
  resumable: true,
};
const hello = JSON.stringify({ role: "user", content: "hello" });

/** A core that answers every message alike, and what it was sent. */
function sendCore(result: SendResult = plain) {
  const sent: SendInput[] = [];
  const core = fakeCore({
    send: (_caller, input) => {
      sent.push(input);
      return Promise.resolve(result);
    },
  });
  return { core, sent };
}

describe("POST of a message", () => {
  test("answers the content and a newline, the request id in a header", async () => {
    const { core } = sendCore();
    const { port } = await serveRest(core);
    for (const prefix of ["", "/api/v1"]) {
      const { status, headers, body } = await ask(port, `${prefix}/agents/a1/message`, { body: hello });
      expect([status, body]).toEqual([200, '{"content":"hi"}\n']);
      expect(headers["content-type"]).toBe("application/json");
      expect(headers["x-valinor-request-id"]).toBe("r1");
      expect(headers["x-valinor-resumable"]).toBe("true");
    }
  });

  test("says if the same call again would run the message again", async () => {
    const { port } = await serveRest(sendCore({ ...plain, resumable: false }).core);
    const { headers, body } = await ask(port, "/agents/a1/message", { body: hello });
    expect([headers["x-valinor-resumable"], body]).toEqual(["false", '{"content":"hi"}\n']);
  });

  test("adds tool calls and a finish reason only if the answer is not plain", async () => {
    const call = {
      kind: "tool_call",
      sequence: 1,
      callId: "c1",
      toolName: "search",
      arguments: "{}",
    } as const;
    const { core } = sendCore({ ...plain, content: "", finishReason: "tool_calls", toolCalls: [call] });
    const { port } = await serveRest(core);
    const { body } = await ask(port, "/agents/a1/message", { body: hello });
    expect(JSON.parse(body)).toEqual({
      content: "",
      finish_reason: "tool_calls",
      tool_calls: [{ call_id: "c1", tool_name: "search", arguments: "{}" }],
    });
  });

  test("takes its own keys out of the message and passes on the others", async () => {
    const { core, sent } = sendCore();
    const { port } = await serveRest(core);
    const body =
      '{"content":"x","request_id":"q:1","conversation_id":"c","allow_stale_config":true,"mood":{"a":[1]},"__proto__":{"z":1}}';
    await ask(port, "/agents/a1/message", { body });
    expect(sent).toEqual([
      {
        agentId: "a1",
        message: { role: "user", content: "x", extra: { mood: { a: [1] } } },
        requestId: "q:1",
        conversationId: "c",
        allowStaleConfig: true,
      },
    ]);
  });

  test.each([
    ["no JSON", "nonsense"],
    ["no object", "[1]"],
    ["null", "null"],
    ["an empty body", ""],
    ["no content", "{}"],
    ["empty content", '{"content":""}'],
    ["content that is no text", '{"content":1}'],
    ["role system", '{"role":"system","content":"x"}'],
    ["a role that is no text", '{"role":{},"content":"x"}'],
    ["a request id with a line break", '{"content":"x","request_id":"a\\nb"}'],
    ["a request id that is no text", '{"content":"x","request_id":7}'],
    ["a flag that is none", '{"content":"x","allow_stale_config":"yes"}'],
    ["deep nesting", `{"content":"x","deep":${"[".repeat(100)}${"]".repeat(100)}}`],
  ])("refuses %s with 400", async (_name, body) => {
    const { core, sent } = sendCore();
    const { port } = await serveRest(core);
    const answer = await ask(port, "/agents/a1/message", { method: "POST", body });
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      error: "invalid request body",
      reason: "INVALID_ARGUMENT",
    });
    expect(answer.body.endsWith("}\n")).toBe(true);
    expect(sent).toEqual([]);
  });

  test("refuses bytes that are not UTF-8", async () => {
    const { port } = await serveRest(sendCore().core);
    const body = Buffer.from('{"content":"\xff"}', "latin1");
    expect((await ask(port, "/agents/a1/message", { body })).status).toBe(400);
  });

  test("says 413 to a body over the bound, announced or not, and the connection stays good", async () => {
    const { core, sent } = sendCore();
    const { port } = await serveRest(core);
    const big = JSON.stringify({ content: "x".repeat(1024 * 1024) });
    const announced = await ask(port, "/agents/a1/message", { body: big });
    expect([announced.status, JSON.parse(announced.body).reason]).toEqual([413, "REQUEST_TOO_LARGE"]);
    const chunked = await ask(port, "/agents/a1/message", {
      body: big,
      headers: { "transfer-encoding": "chunked" },
    });
    expect(chunked.status).toBe(413);
    expect(sent).toEqual([]);
  });

  test("takes a body of exactly the bound", async () => {
    const { core } = sendCore();
    const { port } = await serveRest(core, { maxMessageBytes: hello.length });
    expect((await ask(port, "/agents/a1/message", { body: hello })).status).toBe(200);
    expect((await ask(port, "/agents/a1/message", { body: `${hello} ` })).status).toBe(413);
  });

  test("gives up on a body that does not arrive in time", async () => {
    const { port } = await serveRest(sendCore().core, { bodyMs: 50 });
    const socket = await dial(port);
    socket.write("POST /agents/a1/message HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{");
    expect(await readUntil(socket, "request body timeout")).toContain("HTTP/1.1 408");
  });

  test("stops reading a body without end", async () => {
    const { port } = await serveRest(sendCore().core, { maxMessageBytes: 1000 });
    const socket = await dial(port);
    socket.write("POST /agents/a1/message HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    const piece = `10000\r\n${"x".repeat(65_536)}\r\n`;
    const feed = () => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on("drain", feed);
    feed();
    expect(await readAll(socket)).toContain("HTTP/1.1 413");
  });

  test("aborts the call when the client leaves", async () => {
    const began = Promise.withResolvers<AbortSignal>();
    const core = fakeCore({
      send: (_caller, _input, client) => {
        const signal = signalOf(client);
        began.resolve(signal);
        return new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => reject(signal.reason as Error));
        });
      },
    });
    const { port } = await serveRest(core);
    const socket = await dial(port);
    socket.write(
      `POST /agents/a1/message HTTP/1.1\r\nhost: x\r\ncontent-length: ${hello.length}\r\n\r\n${hello}`,
    );
    const signal = await began.promise;
    const aborted = once(signal, "abort");
    socket.destroy();
    await aborted;
    expect((signal.reason as ValinorError).reason).toBe("CLIENT_GONE");
  });
});

describe("errors over REST", () => {
  test.each(reasons)("%s has the table's status and text", async (reason) => {
    const core = fakeCore({ send: () => Promise.reject(new ValinorError(reason, "detail")) });
    const { port } = await serveRest(core);
    const { status, headers, body } = await ask(port, "/agents/a1/message", { body: hello });
    const row = errorRow(reason);
    const error = reason === "AGENT_ERROR" ? "agent error: detail" : row.text;
    expect(status).toBe(row.status);
    expect(body).toBe(`${JSON.stringify({ error, reason, message: "detail" })}\n`);
    expect(headers["content-type"]).toBe("application/json");
    expect(headers["retry-after"] !== undefined).toBe(row.retryMs !== undefined);
    expect(Number(headers["retry-after"] ?? 1)).toBeGreaterThanOrEqual(1);
  });

  test("a blocked tool is named", async () => {
    const error = new ValinorError("TOOL_BLOCKED", "tool not in allow-list", { metadata: { tool: "rm" } });
    const { port } = await serveRest(fakeCore({ send: () => Promise.reject(error) }));
    const { status, body } = await ask(port, "/agents/a1/message", { body: hello });
    expect([status, JSON.parse(body).error]).toEqual([403, "tool blocked: rm"]);
  });

  test("an error's own text goes before the table's", async () => {
    const error = new ValinorError("AGENT_TIMEOUT", "late", { text: "ack timeout" });
    const { port } = await serveRest(fakeCore({ send: () => Promise.reject(error) }));
    expect(JSON.parse((await ask(port, "/agents/a1/message", { body: hello })).body).error).toBe(
      "ack timeout",
    );
  });

  test("what is thrown by mistake is told to the log and not to the client", async () => {
    const logged: object[] = [];
    const log = (fields: object) => void logged.push(fields);
    const { port } = await serveRest(fakeCore({ send: () => Promise.reject(new Error("secret")) }), {
      logger: { warn: log, error: log },
    });
    const { status, body } = await ask(port, "/agents/a1/message", { body: hello });
    expect(status).toBe(500);
    expect(body).not.toContain("secret");
    expect(logged).toHaveLength(1);
  });

  test("who is not known gets 401 before anything is read", async () => {
    const { core, sent } = sendCore();
    const { port } = await serveRest(core, {
      identify: () => {
        throw new ValinorError("UNAUTHENTICATED", "no credentials");
      },
    });
    const { status, headers } = await ask(port, "/agents//message", { body: "nonsense" });
    expect([status, headers["www-authenticate"]]).toEqual([401, "Bearer"]);
    expect(sent).toEqual([]);
  });
});

describe("routes of REST", () => {
  test.each([
    ["GET", "/agents/a1/message", "POST"],
    ["DELETE", "/api/v1/agents/a1/message", "POST"],
    ["HEAD", "/agents/a1/stream?message=%7B%22content%22%3A%22x%22%7D", "GET, POST"],
    ["PUT", "/agents/a1/stream", "GET, POST"],
    ["OPTIONS", "/agents/a1/context", "POST"],
    ["GET", "/agents/a1/cancel", "POST"],
    ["POST", "/agents/a1", "GET, HEAD"],
    ["POST", "/agents", "GET, HEAD"],
    ["POST", "/healthz", "GET, HEAD"],
  ])("%s %s is 405 and says what is allowed", async (method, path, allow) => {
    const { port } = await serveRest(fakeCore({}));
    const { status, headers } = await ask(port, path, { method });
    expect([status, headers["allow"]]).toEqual([405, allow]);
  });

  test.each(["/agents/a1/nothing", "/api/v2/agents", "/api", "/elsewhere", "/agents/a1/message/", "/"])(
    "%s is 404 in JSON",
    async (path) => {
      const { port } = await serveRest(fakeCore({}));
      const { status, headers, body } = await ask(port, path);
      expect([status, headers["content-type"]]).toEqual([404, "application/json"]);
      expect(JSON.parse(body).error).toBe("not found");
    },
  );

  test("a path without an id is refused", async () => {
    const { port } = await serveRest(fakeCore({}));
    const { status, body } = await ask(port, "/agents//message", { body: hello });
    expect([status, JSON.parse(body).error]).toEqual([400, "id is required"]);
  });

  test.each(["/agents/%zz/message", "/agents/a1/stream?message=%zz"])(
    "%s is refused as malformed",
    async (path) => {
      const { port } = await serveRest(fakeCore({}));
      const { status, body } = await ask(port, path, { method: path.includes("?") ? "GET" : "POST" });
      expect([status, JSON.parse(body).error]).toEqual([400, "malformed url"]);
    },
  );

  test("health and readiness need no credentials", async () => {
    let ready = false;
    const { port } = await serveRest(fakeCore({}), {
      ready: () => ready,
      identify: () => {
        throw new ValinorError("UNAUTHENTICATED", "no credentials");
      },
    });
    expect(await ask(port, "/healthz")).toMatchObject({ status: 200, body: "ok\n" });
    expect(await ask(port, "/readyz")).toMatchObject({ status: 503, body: "not ready\n" });
    ready = true;
    expect((await ask(port, "/readyz")).status).toBe(200);
    expect(await ask(port, "/healthz", { method: "HEAD" })).toMatchObject({ status: 200, body: "" });
  });
});

describe("POST of a context", () => {
  const outcomes = [
    [{ applied: true, refused: false, timedOut: false, reason: "" }, 200, '{"status":"applied"}\n'],
    [
      { applied: false, refused: false, timedOut: true, reason: "late" },
      504,
      '{"error":"ack timeout","reason":"AGENT_TIMEOUT","message":"late"}\n',
    ],
    [
      { applied: false, refused: false, timedOut: false, reason: "away" },
      202,
      '{"status":"stored","reason":"away"}\n',
    ],
    [
      { applied: false, refused: true, timedOut: false, reason: "no" },
      502,
      '{"error":"agent rejected context update","reason":"CONFIG_REJECTED","message":"no"}\n',
    ],
  ] as const;

  test.each(outcomes)("%o is answered %i", async (outcome, status, body) => {
    const given: unknown[] = [];
    const core = fakeCore({
      pushContext: (_caller, input) => {
        given.push(input);
        return Promise.resolve(outcome);
      },
    });
    const { port } = await serveRest(core);
    const answer = await ask(port, "/agents/a1/context", { body: '{"context":"c","key":"k","more":1}' });
    expect([answer.status, answer.body]).toEqual([status, body]);
    expect(given).toEqual([{ agentId: "a1", key: "k", payload: { context: "c", key: "k", more: 1 } }]);
  });

  test("a context that is no text is refused", async () => {
    const { port } = await serveRest(fakeCore({}));
    expect((await ask(port, "/agents/a1/context", { body: '{"context":{}}' })).status).toBe(400);
    expect((await ask(port, "/agents/a1/context", { body: '{"context":"c","key":"a b"}' })).status).toBe(400);
  });
});

describe("agents over REST", () => {
  test("cancel says whether there was a run", async () => {
    const { port } = await serveRest(
      fakeCore({ cancel: (_caller, { requestId }) => Promise.resolve(requestId === "r1") }),
    );
    const cancel = async (body: string) => ask(port, "/agents/a1/cancel", { body });
    expect((await cancel('{"request_id":"r1"}')).body).toBe('{"cancelled":true}\n');
    expect((await cancel('{"request_id":"r2"}')).body).toBe('{"cancelled":false}\n');
    expect((await cancel("{}")).status).toBe(400);
    expect((await cancel('{"request_id":"r1","reason":1}')).status).toBe(400);
  });

  test("the list gives a page", async () => {
    const asked: unknown[] = [];
    const core = fakeCore({
      listAgents: (_caller, input) => {
        asked.push(input);
        return Promise.resolve({ agents: [{ agent } as AgentStatusView], nextPageToken: "t2" });
      },
    });
    const { port } = await serveRest(core);
    const { body } = await ask(port, "/api/v1/agents?page_size=1&page_token=t+1&filter=a%3Db");
    expect(asked).toEqual([{ pageSize: 1, pageToken: "t 1", filter: "a=b" }]);
    expect(JSON.parse(body)).toMatchObject({
      agents: [{ id: "a1", status: "RUNNING" }],
      next_page_token: "t2",
    });
    expect((await ask(port, "/agents?page_size=x")).status).toBe(400);
  });

  test("the status of an agent says what is known of it", async () => {
    const view = {
      agent,
      connected: true,
      protocol: 2,
      guestStatus: "running",
      bootId: "b",
      agentVersion: "1",
      heartbeatAgeSecs: 1.5,
      inFlight: 0,
      openclaw: "ready",
      openclawKind: "plain",
      openclawKindReason: "told by --server-kind",
      remembers: "disk",
      observedRevision: 1,
      configState: "applied" as const,
      configReason: "",
      lastError: "",
    };
    const { port } = await serveRest(fakeCore({ status: () => Promise.resolve(view) }));
    const { body } = await ask(port, "/agents/a1");
    expect(JSON.parse(body)).toMatchObject({
      id: "a1",
      connected: true,
      protocol: 2,
      heartbeat_age_secs: 1.5,
    });
    expect((await ask(port, "/agents/a1", { method: "HEAD" })).body).toBe("");
  });
});
