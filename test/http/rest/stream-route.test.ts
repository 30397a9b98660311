import { createParser, type EventSourceMessage } from "eventsource-parser";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { describe, expect, onTestFinished, test } from "vitest";
import { ValinorError } from "../../../src/core/errors.ts";
import type { RunEvent } from "../../../src/core/types.ts";
import { fakeCore, fakeRun, streamCore } from "../fake-core.ts";
import { ask, dial, readUntil, serveRest } from "../serving.ts";

const message = encodeURIComponent('{"role":"user","content":"hello"}');
const path = `/agents/a1/stream?message=${message}`;
const text = (sequence: number, content: string): RunEvent => ({ kind: "text", sequence, text: content });
const done = (sequence: number): RunEvent => ({ kind: "done", sequence, finishReason: "stop" });

/** Parses an event stream as clients do. */
function parse(body: string): EventSourceMessage[] {
  const events: EventSourceMessage[] = [];
  createParser({ onEvent: (event) => void events.push(event) }).feed(body);
  return events;
}

/** Opens a stream and answers as soon as its headers are there. */
async function open(port: number, target = path): Promise<IncomingMessage> {
  const req = request({ port, path: target, agent: false });
  onTestFinished(() => void req.destroy());
  req.on("error", () => {});
  req.end();
  const [res] = await once(req, "response");
  return res as IncomingMessage;
}

async function bodyOf(res: IncomingMessage): Promise<string> {
  let body = "";
  for await (const part of res) body += String(part);
  return body;
}

describe("an event stream", () => {
  test("has these bytes", async () => {
    const run = fakeRun();
    const { core } = streamCore(run);
    const { port } = await serveRest(core);
    run.push(text(1, "he"), { kind: "keepalive" });
    run.push({ kind: "tool_call", sequence: 2, callId: "c", toolName: "t", arguments: "{}" });
    const usage = { promptTokens: 1, completionTokens: 2, totalTokens: 3 };
    run.push(text(3, "llo"), { kind: "done", sequence: 4, finishReason: "stop", usage });
    const { status, headers, body } = await ask(port, `/api/v1${path}`);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-valinor-request-id": "r1",
      "x-valinor-resumable": "true",
      "x-valinor-run-life": "life-1",
    });
    expect(body).toBe(
      [
        "id: r1/0\n\n",
        'id: r1/1\nevent: chunk\ndata: {"content":"he","done":false,"sequence":1}\n\n',
        ": keepalive\n\n",
        'id: r1/2\nevent: tool_call\ndata: {"sequence":2,"call_id":"c","tool_name":"t","arguments":"{}"}\n\n',
        'id: r1/3\nevent: chunk\ndata: {"content":"llo","done":false,"sequence":3}\n\n',
        'event: chunk\ndata: {"content":"","done":true,"sequence":4,"finish_reason":"stop",',
        '"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n',
        "id: r1/4\nevent: done\ndata: {}\n\n",
      ].join(""),
    );
  });

  test("begins before the agent has said anything, and names its run", async () => {
    const run = fakeRun();
    const { port } = await serveRest(streamCore(run).core);
    const res = await open(port);
    const [first] = await once(res, "data");
    expect(String(first)).toBe("id: r1/0\n\n");
  });

  test("sends all events of a wake in one write", async () => {
    const run = fakeRun();
    const { port } = await serveRest(streamCore(run).core);
    const socket = await dial(port);
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await readUntil(socket, "r1/0");
    const batch = Array.from({ length: 50 }, (_, i) => text(i + 1, `t${i}`));
    run.push(...batch);
    const got = await readUntil(socket, '"sequence":50}');
    // In HTTP/1.1 every write is one chunk of the transfer encoding.
    expect(got.match(/^[0-9a-f]+\r\n/gm)).toHaveLength(1);
  });

  test.each([
    "a\nb",
    "a\r\nevent: done\r\ndata: {}\r\n\r\n",
    "a\u2028b\u2029c\u0085d",
    "\u0000\u001e😀\ud800",
  ])("keeps %j on one line", async (content) => {
    const run = fakeRun();
    const { port } = await serveRest(streamCore(run).core);
    run.push(text(1, content), done(2));
    const { body } = await ask(port, path);
    const events = parse(body);
    expect(events.map(({ event }) => event)).toEqual(["chunk", "chunk", "done"]);
    expect(JSON.parse(events[0]?.data ?? "")).toEqual({ content, done: false, sequence: 1 });
    expect(body).not.toMatch(/[\u0085\u2028\u2029]/);
  });

  test("takes a POST body as well as a query, and gives the core what they say", async () => {
    const runs = [fakeRun(), fakeRun()];
    for (const run of runs) run.push(done(1));
    const { core, asked } = streamCore(...runs);
    const { port } = await serveRest(core);
    await ask(port, `${path}&request_id=q1&conversation_id=c1&on_disconnect=cancel`);
    await ask(port, "/agents/a1/stream", {
      body: '{"content":"x","request_id":"q2","on_disconnect":"continue","allow_stale_config":true,"k":1}',
    });
    expect(asked).toEqual([
      {
        agentId: "a1",
        message: { role: "user", content: "hello" },
        requestId: "q1",
        conversationId: "c1",
        allowStaleConfig: false,
        afterSequence: 0,
        onDisconnect: "cancel",
      },
      {
        agentId: "a1",
        message: { role: "user", content: "x", extra: { k: 1 } },
        requestId: "q2",
        conversationId: "",
        allowStaleConfig: true,
        afterSequence: 0,
        onDisconnect: "continue",
      },
    ]);
  });

  test.each([
    ["", "message query param required"],
    ["?message=", "message query param required"],
    ["?message=hello", "invalid request body"],
    ["?message=%7B%7D", "invalid request body"],
    [`?message=${message}&on_disconnect=maybe`, "invalid request body"],
    [`?message=${message}&request_id=a%20b`, "invalid request body"],
    [`?message=${message}&last_event_id=r1`, "invalid last event id"],
    [`?message=${message}&last_event_id=r1/9999999999`, "invalid last event id"],
  ])("refuses %j with 400 and sends nothing", async (query, error) => {
    const { core, asked } = streamCore();
    const { port } = await serveRest(core);
    const { status, body } = await ask(port, `/agents/a1/stream${query}`);
    expect([status, JSON.parse(body).error]).toEqual([400, error]);
    expect(asked).toEqual([]);
  });

  test("is a JSON error if the agent did not take the message", async () => {
    const core = fakeCore({ stream: () => Promise.reject(new ValinorError("AGENT_NOT_RUNNING", "stopped")) });
    const { port } = await serveRest(core);
    const { status, headers, body } = await ask(port, path);
    expect([status, headers["content-type"]]).toEqual([503, "application/json"]);
    expect(JSON.parse(body).error).toBe("agent not running");
  });

  test("works over HTTP/2", async () => {
    const run = fakeRun();
    const { port } = await serveRest(streamCore(run).core);
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ":path": path });
    run.push(text(1, "x".repeat(300_000)));
    run.push(done(2));
    let body = "";
    for await (const part of stream) body += String(part);
    expect(parse(body).map(({ event }) => event)).toEqual(["chunk", "chunk", "done"]);
  });
});

describe("every ending has exactly one terminal event", () => {
  const endings: [string, (run: ReturnType<typeof fakeRun>) => void, string, object][] = [
    ["done", (run) => run.push(done(2)), "done", {}],
    [
      "a timeout",
      (run) => run.fail(new ValinorError("AGENT_TIMEOUT", "silent for 60 s")),
      "error",
      { code: "agent_timeout", message: "silent for 60 s", reason: "AGENT_TIMEOUT" },
    ],
    [
      "the guest's death",
      (run) => run.fail(new ValinorError("RUN_INTERRUPTED", "link lost", { metadata: { request_id: "r1" } })),
      "error",
      { code: "run_interrupted", message: "link lost", reason: "RUN_INTERRUPTED" },
    ],
    [
      "an invalid chunk",
      (run) => run.fail(new ValinorError("INVALID_FRAME", "no number")),
      "error",
      { code: "invalid_frame", message: "no number", reason: "INVALID_FRAME" },
    ],
    [
      "the agent's error",
      (run) =>
        run.fail(
          new ValinorError("AGENT_ERROR", "model said no", {
            metadata: { code: "openclaw_error", sequence: "2" },
          }),
        ),
      "error",
      { code: "openclaw_error", message: "model said no", reason: "AGENT_ERROR", sequence: 2 },
    ],
    [
      "a blocked tool",
      (run) =>
        run.fail(
          new ValinorError("TOOL_BLOCKED", "tool not in allow-list", {
            metadata: { tool: "rm", sequence: "2" },
          }),
        ),
      "tool_blocked",
      { reason: "tool not in allow-list", tool_name: "rm", sequence: 2 },
    ],
    [
      "a fault of ours",
      (run) => run.fail(new Error("secret")),
      "error",
      { code: "internal", message: "internal error", reason: "INTERNAL" },
    ],
    [
      "an end without a word",
      (run) => run.end(),
      "error",
      { code: "run_interrupted", message: "the stream ended before its run", reason: "RUN_INTERRUPTED" },
    ],
  ];

  test.each(endings)("%s", async (_name, end, event, data) => {
    const run = fakeRun();
    const { port } = await serveRest(streamCore(run).core);
    run.push(text(1, "x"));
    end(run);
    const events = parse((await ask(port, path)).body);
    const terminal = events.filter(({ event: name }) => name !== "chunk");
    expect(terminal.map(({ event: name }) => name)).toEqual([event]);
    expect(events.at(-1)).toBe(terminal[0]);
    expect(JSON.parse(terminal[0]?.data ?? "")).toEqual(data);
    const numbered = event === "done" || "sequence" in data;
    expect(terminal[0]?.id).toBe(numbered ? "r1/2" : undefined);
  });
});

describe("resuming an event stream", () => {
  test("attaches to the run after the event that the client has, whatever the query says", async () => {
    const run = fakeRun({ attached: true });
    const { core, asked } = streamCore(run);
    const { port } = await serveRest(core);
    run.push(text(6, "x"), done(7));
    const { body } = await ask(port, path, { headers: { "last-event-id": "r1/5" } });
    expect(asked).toEqual([
      { agentId: "a1", requestId: "r1", conversationId: "", allowStaleConfig: false, afterSequence: 5 },
    ]);
    expect(parse(body).map(({ id }) => id)).toEqual(["r1/6", undefined, "r1/7"]);
  });

  test("works by query, and from the start, for a client that saw no event", async () => {
    const run = fakeRun({ attached: true });
    const { core, asked } = streamCore(run);
    const { port } = await serveRest(core);
    run.push(done(1));
    const { status } = await ask(port, `${path}&last_event_id=r1/0`);
    expect([status, asked[0]?.afterSequence, asked[0]?.message]).toEqual([200, 0, undefined]);
  });

  test("a POST resumes without reading its body as a message", async () => {
    const run = fakeRun({ attached: true });
    const { core, asked } = streamCore(run);
    const { port } = await serveRest(core);
    run.push(done(2));
    await ask(port, "/agents/a1/stream", { body: '{"content":"x"}', headers: { "last-event-id": "r1/1" } });
    expect(asked[0]?.message).toBeUndefined();
  });

  test("names the life of the run that is meant, and refuses what is no name", async () => {
    const run = fakeRun({ attached: true });
    const { core, asked } = streamCore(run);
    const { port } = await serveRest(core);
    run.push(done(2));
    const headers = { "last-event-id": "r1/1" };
    const { headers: told } = await ask(port, "/agents/a1/stream?life=life-1", { headers });
    expect(asked[0]).toMatchObject({ requestId: "r1", afterSequence: 1, life: "life-1" });
    expect(told["x-valinor-run-life"]).toBe("life-1");
    expect((await ask(port, "/agents/a1/stream?life=a%20b", { headers })).status).toBe(400);
  });

  test("a request id without a message attaches", async () => {
    const run = fakeRun({ attached: true });
    const { core, asked } = streamCore(run);
    const { port } = await serveRest(core);
    run.push(done(1));
    expect((await ask(port, "/agents/a1/stream?request_id=r1")).status).toBe(200);
    expect(asked[0]).toMatchObject({ requestId: "r1", afterSequence: 0 });
    expect(asked[0]?.message).toBeUndefined();
  });

  const behind: [string, (run: ReturnType<typeof fakeRun>) => void][] = [
    ["done", (run) => run.push(done(7))],
    ["an error", (run) => run.fail(new ValinorError("AGENT_ERROR", "no", { metadata: { sequence: "7" } }))],
    [
      "tool_blocked",
      (run) => run.fail(new ValinorError("TOOL_BLOCKED", "no", { metadata: { sequence: "7", tool: "t" } })),
    ],
  ];

  test.each(behind)("is 204 after %s", async (_name, end) => {
    const run = fakeRun({ attached: true });
    const { port } = await serveRest(streamCore(run).core);
    end(run);
    const { status, body } = await ask(port, path, { headers: { "last-event-id": "r1/7" } });
    expect([status, body]).toEqual([204, ""]);
  });

  test("an error that the client has not seen is sent as an event", async () => {
    const run = fakeRun({ attached: true });
    const { port } = await serveRest(streamCore(run).core);
    run.fail(new ValinorError("AGENT_ERROR", "no", { metadata: { sequence: "7" } }));
    const { status, body } = await ask(port, path, { headers: { "last-event-id": "r1/6" } });
    expect([status, parse(body)[0]?.event, parse(body)[0]?.id]).toEqual([200, "error", "r1/7"]);
  });

  test("what cannot be resumed is a JSON error", async () => {
    const run = fakeRun({ attached: true });
    const { port } = await serveRest(streamCore(run).core);
    run.fail(new ValinorError("RUN_TRIMMED", "events 1 to 9 are gone"));
    const { status, body } = await ask(port, path, { headers: { "last-event-id": "r1/1" } });
    expect([status, JSON.parse(body).error]).toEqual([410, "run trimmed"]);
  });
});

describe("a client of an event stream", () => {
  test("that leaves closes the stream at once", async () => {
    const run = fakeRun();
    const { port } = await serveRest(streamCore(run).core);
    const res = await open(port);
    res.destroy();
    await run.closed;
    expect(run.closes()).toBe(1);
  });

  test("that leaves an HTTP/2 stream closes the run's stream", async () => {
    const run = fakeRun();
    const { port } = await serveRest(streamCore(run).core);
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({ ":path": path });
    await once(stream, "response");
    stream.close(8);
    await run.closed;
    expect(run.closes()).toBe(1);
  });

  test("that leaves before the run is open gets its stream closed as soon as it is", async () => {
    const run = fakeRun();
    const asked = Promise.withResolvers<AbortSignal>();
    const opened = Promise.withResolvers<typeof run>();
    const core = fakeCore({
      stream: (_caller, _input, signal) => {
        asked.resolve(signal);
        return opened.promise;
      },
    });
    const { port } = await serveRest(core);
    const socket = await dial(port);
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    const signal = await asked.promise;
    socket.destroy();
    await once(signal, "abort");
    opened.resolve(run);
    await run.closed;
    expect(run.nexts()).toBe(0);
  });

  test("that reads to the end is not taken for one that left", async () => {
    const run = fakeRun();
    const { port } = await serveRest(streamCore(run).core);
    run.push(done(1));
    await bodyOf(await open(port));
    expect(run.closes()).toBe(0);
  });

  test.each(["http1", "http2"])(
    "that takes nothing stops the run's events and is dropped (%s)",
    async (version) => {
      const run = fakeRun();
      const endless = { ...run, next: () => Promise.resolve([text(1, "x".repeat(60_000))]) };
      const { port } = await serveRest(streamCore(endless).core, { clientStallMs: 100 });
      if (version === "http1") {
        const socket = await dial(port);
        socket.pause();
        socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
      } else {
        const session = connectHttp2(`http://127.0.0.1:${port}`);
        onTestFinished(() => session.destroy());
        session.request({ ":path": path }).on("error", () => {});
      }
      await run.closed;
      expect(run.closes()).toBe(1);
    },
  );

  test("that is slow gets everything, in order", async () => {
    const run = fakeRun();
    const { port } = await serveRest(streamCore(run).core, { clientStallMs: 20_000 });
    for (let i = 1; i <= 100; i++) run.push(text(i, `${i}:${"é".repeat(60_000)}`));
    run.push(done(101));
    const res = await open(port);
    let body = "";
    for await (const part of res.setEncoding("utf8")) {
      body += String(part);
      await new Promise(setImmediate);
    }
    const events = parse(body);
    expect(events).toHaveLength(102);
    expect(events.slice(0, 100).every(({ data }, i) => data.includes(`"${i + 1}:é`))).toBe(true);
    expect(body).not.toContain("\ufffd");
  });
});

test("an error of the server's own in a stream is logged, and told to the client without its text", async () => {
  const run = fakeRun();
  const logged: object[] = [];
  const logger = { warn: () => {}, error: (fields: object) => void logged.push(fields) };
  const { port } = await serveRest(streamCore(run).core, { logger });
  const bug = new TypeError("undefined is not a function");
  run.push(text(1, "he"));
  run.fail(bug);
  const { body } = await ask(port, path);
  expect(body).toContain('"message":"internal error"');
  expect(body).not.toContain("undefined");
  expect(logged).toEqual([{ err: bug }]);
});
