import { createServer, type Server } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { describeError } from "../../../agent/openclaw/describe.ts";
import { textOf } from "../fake-host.ts";
import type { ModelCall } from "../fake-model.ts";
import { launch, letIn, setup, userSays } from "../setup.ts";
import { startModel } from "../fake-model.ts";

/** Text, error code and message that a run ends with when the model answers so. */
async function outcome(answer: (call: ModelCall) => void) {
  const { host, model } = await setup();
  const exchange = host.message(userSays("hi"));
  const call = await model.next();
  answer(call);
  const frames = await exchange.rest();
  const { code, message, sequence } = (frames.at(-1)?.payload ?? {}) as Record<string, unknown>;
  return { text: textOf(frames), code, message, sequence };
}

const raw = (text: string) => (call: ModelCall) => {
  call.open();
  call.response.end(text);
};

describe("a model that fails", () => {
  it("with an error status is openclaw_error with the status and what it said, without addresses", async () => {
    const said = {
      error: { message: "no model at http://10.0.0.7:9999/v1 or localhost:8081", type: "not_found" },
    };
    const { code, message, sequence } = await outcome((call) => call.json(404, said));
    expect({ code, sequence }).toEqual({ code: "openclaw_error", sequence: 1 });
    expect(message).toBe(
      "OpenClaw answered 404 to POST /v1/chat/completions: no model at [address] or [address]",
    );
  });

  it("that repeats the agent's token keeps it from the client all the same", async () => {
    const { host, model } = await setup({ openclawToken: "oc-t0ken" });
    const exchange = host.message(userSays("hi"));
    (await model.next()).json(401, { detail: "Bearer oc-t0ken is wrong" });
    const message = "OpenClaw answered 401: Bearer [token] is wrong";
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ message });
  });

  it("with an error status and no JSON tells the status alone", async () => {
    const { message } = await outcome((call) => call.response.writeHead(502).end("<html>"));
    expect(message).toBe("OpenClaw answered 502");
  });

  it("with an error in the stream is openclaw_error, after the text before it", async () => {
    const got = await outcome((call) => {
      call.text("a");
      call.event({ error: { message: "provider down" } });
      call.response.end("data: [DONE]\n\n");
    });
    expect(got).toMatchObject({
      text: "a",
      code: "openclaw_error",
      message: "OpenClaw reports: provider down",
    });
    expect(got.sequence).toBe(2);
  });

  it("after long text in the same piece loses none of it", async () => {
    const { host, model } = await setup({ bounds: { journalRunBytes: 50_000 } });
    const exchange = host.message(userSays("hi", { credit: 1 }));
    const call = await model.next();
    call.open();
    const text = "x".repeat(200_000);
    const piece = JSON.stringify({ choices: [{ index: 0, delta: { content: text } }] });
    call.response.end(`data: ${piece}\n\ndata: {"error":{"message":"down"}}\n\n`);
    await exchange.next("opened");
    exchange.credit(1e9);
    const frames = await exchange.rest();
    expect(textOf(frames)).toBe(text);
    expect(frames.at(-1)?.payload).toMatchObject({ code: "openclaw_error" });
  });

  it("midway is read_error", async () => {
    const got = await outcome((call) => {
      call.text("a");
      call.response.write("", () => setTimeout(() => call.response.destroy(), 20));
    });
    expect(got).toMatchObject({ text: "a", code: "read_error", sequence: 2 });
  });

  it("before it answers is request_error, without an address", async () => {
    const got = await outcome((call) => call.response.destroy());
    expect(got).toMatchObject({ code: "request_error" });
    expect(got.message).not.toMatch(/127\.0\.0\.1|http/);
  });

  it("by ending without a finish reason or an end mark is truncated", async () => {
    const half = `data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n`;
    expect(await outcome(raw(half))).toMatchObject({ text: "a", code: "truncated", sequence: 2 });
    expect(await outcome(raw(`${half}data: {"choi`))).toMatchObject({ text: "a", code: "truncated" });
  });

  it.each(["", "data: [DONE]\n\n", ": nothing\n\n", `data: {"choices":[]}\n\ndata: [DONE]\n\n`])(
    "by saying nothing is empty_response: %j",
    async (text) => {
      expect(await outcome(raw(text))).toMatchObject({ code: "empty_response" });
    },
  );

  it("by sending what is no JSON is parse_error", async () => {
    expect(await outcome(raw("data: {oops\n\n"))).toMatchObject({ code: "parse_error" });
    expect(await outcome(raw("data: 5\n\n"))).toMatchObject({ code: "parse_error" });
    const plain = (call: ModelCall) =>
      call.response.writeHead(200, { "content-type": "text/html" }).end("<p>");
    expect(await outcome(plain)).toMatchObject({ code: "parse_error" });
  });

  it("by an event over 4 MiB is too_large", async () => {
    const got = await outcome(raw(`data: ${"x".repeat(4 * 1024 * 1024 + 1)}`));
    expect(got).toMatchObject({ code: "too_large" });
  });

  it("by an answer in one piece over 4 MiB is too_large", async () => {
    const got = await outcome((call) => call.json(200, { filler: "x".repeat(4 * 1024 * 1024) }));
    expect(got).toMatchObject({ code: "too_large" });
  });

  it("is logged by code, without a word of what it said", async () => {
    const { host, model, logged } = await setup();
    const exchange = host.message(userSays("hi"));
    raw("data: {the model's words\n\n")(await model.next());
    await exchange.rest();
    const line = logged.find((entry) => entry.includes(`"run_failed"`));
    expect(line).toContain(`"code":"parse_error","reason":"SyntaxError"`);
    expect(line).not.toContain("words");
  });

  it("leaves the agent ready for the next message", async () => {
    const { host, model } = await setup();
    const failing = host.message(userSays("hi"));
    (await model.next()).response.destroy();
    await failing.rest();
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    call.text("a");
    call.finish();
    expect(textOf(await exchange.rest())).toBe("a");
  });

  it("by not being there is request_error, and the heartbeat says down", async () => {
    const model = await startModel();
    model.close();
    const host = await letIn(await launch(model));
    const error = (await host.message(userSays("hi")).rest()).at(-1)?.payload;
    expect(error).toMatchObject({
      code: "request_error",
      message: "OpenClaw cannot be reached (ECONNREFUSED)",
    });
  });
});

describe("a server under a path", () => {
  it("is called under it", async () => {
    const paths: (string | undefined)[] = [];
    const server: Server = createServer((request, response) => {
      paths.push(request.url);
      response.writeHead(404).end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/gateway/`;
    const model = await startModel();
    onTestFinished(() => model.close());
    const host = await letIn(await launch(model, { openclawUrl: url }));
    await host.message(userSays("hi")).rest();
    expect(paths.slice(0, 2)).toEqual(["/gateway/readyz", "/gateway/v1/chat/completions"]);
  });
});

describe("describeError", () => {
  it.each([
    ["refused by 10.1.2.3:80", "refused by [address]"],
    ["see https://a.internal/x?y=1.", "see [address]"],
    ["[::1]:8081 is down", "[address] is down"],
    ["model gpt-4.1 is unknown", "model gpt-4.1 is unknown"],
    ["", "no reason given"],
  ])("tells %j as %j", (said, told) => {
    expect(describeError({ message: said })).toBe(told);
  });

  it("is short", () => {
    expect(describeError("x".repeat(10_000))).toHaveLength(500);
  });
});
