import { afterAll, beforeAll, expect, test } from "vitest";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { startScriptedModel, type ScriptedModel } from "../../../dev/model/scripted-model.ts";

let model: ScriptedModel;
beforeAll(async () => {
  model = await startScriptedModel({ wordMs: 0 });
});
afterAll(() => model.close());

interface Chunk {
  object: string;
  model: string;
  choices: {
    delta: { role?: string; content?: string; tool_calls?: ToolDelta[] };
    finish_reason: string | null;
  }[];
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null;
}
interface ToolDelta {
  index: number;
  id?: string;
  type?: string;
  function: { name?: string; arguments: string };
}

function ask(content: unknown, rest: object = {}, url = model.url, signal?: AbortSignal): Promise<Response> {
  const messages = [{ role: "user", content }];
  return fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    body: JSON.stringify({ messages, ...rest }),
    ...(signal === undefined ? {} : { signal }),
  });
}

async function askWhole(
  content: unknown,
  rest: object = {},
): Promise<{ content: string; [key: string]: unknown }> {
  const res = await ask(content, rest);
  expect(res.status).toBe(200);
  const body = (await res.json()) as {
    choices: [{ message: { content: string }; finish_reason: string }];
    usage: unknown;
  };
  return { ...body.choices[0].message, finish: body.choices[0].finish_reason, usage: body.usage };
}

async function askChunks(content: string, rest: object = {}): Promise<{ chunks: Chunk[]; done: boolean }> {
  const res = await ask(content, { stream: true, ...rest });
  expect(res.headers.get("content-type")).toContain("text/event-stream");
  const events = (await res.text()).split("\n\n").filter((event) => event !== "");
  const data = events.map((event) => event.replace(/^data: /, ""));
  const done = data.at(-1) === "[DONE]";
  return { chunks: (done ? data.slice(0, -1) : data).map((json) => JSON.parse(json) as Chunk), done };
}

function textOf(chunks: Chunk[]): string {
  return chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
}

test("a plain message is answered with its own words", async () => {
  const answer = await askWhole("good morning");
  expect(answer.content).toContain('"good morning"');
  expect(answer["finish"]).toBe("stop");
});

test("the answer counts the system messages that came along", async () => {
  const messages = [
    { role: "system", content: "be brief" },
    { role: "system", content: "be kind" },
    { role: "user", content: "hi" },
  ];
  expect((await askWhole("", { messages })).content).toContain("2 system messages came along");
});

test("a stream begins with the role, ends with a finish reason and [DONE], and carries usage only on request", async () => {
  const { chunks, done } = await askChunks("!words 3");
  expect(chunks[0]?.choices[0]?.delta).toMatchObject({ role: "assistant", content: "" });
  expect(textOf(chunks)).toBe("word1 word2 word3");
  expect(chunks.at(-1)?.choices[0]).toMatchObject({ delta: {}, finish_reason: "stop" });
  expect(chunks.some((chunk) => "usage" in chunk)).toBe(false);
  expect(done).toBe(true);
});

test("with include_usage the last chunk has no choices and the usage, the others a null", async () => {
  const { chunks } = await askChunks("!words 3", { stream_options: { include_usage: true }, model: "m1" });
  const last = chunks.at(-1);
  expect(last?.choices).toEqual([]);
  expect(last?.usage).toMatchObject({ completion_tokens: 3 });
  expect(chunks.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true);
  expect(new Set(chunks.map((chunk) => chunk.model))).toEqual(new Set(["m1"]));
});

test("!echo answers exactly the text that follows, line ends and further directives included", async () => {
  const text = "  two  spaces,\n\na line, ünï😀 and !words 3 ";
  expect((await askWhole(`!echo ${text}`)).content).toBe(text);
  expect(textOf((await askChunks(`!echo ${text}`)).chunks)).toBe(text);
});

test("several directives in one message are obeyed in their order", async () => {
  const started = Date.now();
  const { chunks } = await askChunks("!words 2 !stall 0.2 !words 1 !echo and out");
  expect(textOf(chunks)).toBe("word1 word2 word1 and out");
  expect(Date.now() - started).toBeGreaterThanOrEqual(190);
});

test("!tool makes a call whose arguments come in parts after its id and name", async () => {
  const args = { path: 'a}b{"c', deep: { n: 1 }, text: "x".repeat(100) };
  const { chunks } = await askChunks(`!tool fs.read ${JSON.stringify(args)} !tool second`);
  const deltas = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? []);
  const first = deltas.filter((delta) => delta.index === 0);
  expect(first[0]).toMatchObject({ type: "function", function: { name: "fs.read", arguments: "" } });
  expect(first[0]?.id).toMatch(/^call_/);
  expect(first.length).toBeGreaterThan(3);
  expect(JSON.parse(first.map((delta) => delta.function.arguments).join(""))).toEqual(args);
  expect(deltas.find((delta) => delta.index === 1)?.function.name).toBe("second");
  expect(chunks.at(-1)?.choices[0]?.finish_reason).toBe("tool_calls");
});

test("an answer with a tool call and no text has null content when it is not streamed", async () => {
  const answer = await askWhole('!tool search {"q":1}');
  expect(answer.content).toBeNull();
  expect(answer["finish"]).toBe("tool_calls");
  expect(answer["tool_calls"]).toMatchObject([{ function: { name: "search", arguments: '{"q":1}' } }]);
});

test("a tool's result is answered with text instead of the same call again", async () => {
  const messages = [
    { role: "user", content: "!tool search {}" },
    { role: "tool", tool_call_id: "call_1", content: "42" },
  ];
  expect((await askWhole("", { messages })).content).toContain('The tool answered: "42"');
});

test("!fail answers with that status and OpenAI's error body", async () => {
  const res = await ask("!fail 503", { stream: true });
  expect(res.status).toBe(503);
  expect(await res.json()).toMatchObject({ error: { type: "server_error", message: expect.any(String) } });
});

test("!pace sets the time between words", async () => {
  const started = Date.now();
  await askChunks("!pace 30 !words 6");
  expect(Date.now() - started).toBeGreaterThanOrEqual(140);
});

test("!cut drops the connection after half of the text, without [DONE]", async () => {
  const res = await ask("!cut !words 10", { stream: true });
  let text = "";
  const read = (async () => {
    for await (const part of res.body as unknown as AsyncIterable<Uint8Array>)
      text += Buffer.from(part).toString();
  })();
  await expect(read).rejects.toThrow(/terminated|closed|reset/);
  expect(text).toContain("word5");
  expect(text).not.toContain("word6");
  expect(text).not.toContain("[DONE]");
});

test("!bytes gives exactly that many bytes, in deltas of 16 KiB", async () => {
  const { chunks } = await askChunks("!bytes 1000001");
  expect(textOf(chunks)).toHaveLength(1_000_001);
  expect(chunks[1]?.choices[0]?.delta.content).toHaveLength(16 * 1024);
});

test("content in parts is read as one text", async () => {
  expect(
    (
      await askWhole([
        { type: "text", text: "!echo " },
        { type: "text", text: "ok" },
      ])
    ).content,
  ).toBe("ok");
});

test.each([
  ["no JSON", "{", 400],
  ["no messages", "{}", 400],
  ["an oversized body", `{"messages":[{"role":"user","content":"${"x".repeat(21 * 1024 * 1024)}"}]}`, 413],
])("%s is refused with an error body", async (_name, body, status) => {
  const res = await fetch(`${model.url}/v1/chat/completions`, { method: "POST", body });
  expect(res.status).toBe(status);
  expect(await res.json()).toHaveProperty("error.message");
});

test("it lists its model, and is no OpenClaw", async () => {
  const models = await fetch(`${model.url}/v1/models`);
  expect(await models.json()).toMatchObject({
    object: "list",
    data: [{ id: "scripted-1", object: "model" }],
  });
  expect((await fetch(`${model.url}/readyz`)).status).toBe(404);
});

test("a client that leaves ends its answer within milliseconds, and /stats counts it", async () => {
  const own = await startScriptedModel();
  const leave = new AbortController();
  const res = await ask("!words 1000 !stall 60", { stream: true }, own.url, leave.signal);
  await res.body?.getReader().read();
  expect(own.active).toBe(1);
  leave.abort();
  const left = Date.now();
  while (own.active > 0) await sleep(1);
  expect(Date.now() - left).toBeLessThan(500);
  const stats = await fetch(`${own.url}/stats`);
  expect(await stats.json()).toEqual({ calls: 1, active: 0, aborted: 1, finished: 0 });
  await own.close();
});

test("a client that reads nothing holds the text back, and its leaving is noticed", async () => {
  const own = await startScriptedModel();
  const socket = connect(own.port, "127.0.0.1");
  await once(socket, "connect");
  socket.pause();
  const body = JSON.stringify({ stream: true, messages: [{ role: "user", content: "!bytes 268435456" }] });
  const before = process.memoryUsage().rss;
  socket.write(
    `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
  while (own.calls === 0) await sleep(1);
  await sleep(300);
  expect(own.active).toBe(1);
  expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024);
  socket.destroy();
  const left = Date.now();
  while (own.active > 0) await sleep(1);
  expect(Date.now() - left).toBeLessThan(1000);
  expect(own.aborted).toBe(1);
  await own.close();
});

test("close drops the answers under way and frees the port", async () => {
  const own = await startScriptedModel();
  const res = await ask("!stall 60", { stream: true }, own.url);
  const reading = res.text();
  await Promise.all([own.close(), expect(reading).rejects.toThrow(/terminated|closed|reset/)]);
  const again = await startScriptedModel({ port: own.port });
  await again.close();
});

test("a taken port is an error that says so by code", async () => {
  await expect(startScriptedModel({ port: model.port })).rejects.toMatchObject({ code: "EADDRINUSE" });
});

test("finds the user's words inside of what OpenClaw wraps around them", async () => {
  const wrapped =
    "[Sun 2026-11-22 14:24 UTC] !echo hello there\n\nRuntime: agent=main | session=agent:main:x | host=vm";
  const internal =
    "<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>\nActive exec sessions\n<<<END_OPENCLAW_INTERNAL_CONTEXT>>>";
  const messages = [
    { role: "user", content: wrapped },
    { role: "user", content: [{ type: "text", text: internal }] },
  ];
  expect((await askWhole("", { messages })).content).toBe("hello there");
});

test("keeps the latest requests if it is told to", async () => {
  const recording = await startScriptedModel({ wordMs: 0, record: 2 });
  const tools = [{ type: "function", function: { name: "search" } }];
  for (const text of ["!echo a", "!echo b", "!echo c"])
    await (await ask(text, { model: "m", tools }, recording.url)).text();
  expect(recording.requests).toEqual(
    ["!echo b", "!echo c"].map((text) => ({
      model: "m",
      tools: ["search"],
      messages: [{ role: "user", text }],
    })),
  );
  await recording.close();
  expect(model.requests).toEqual([]);
});
