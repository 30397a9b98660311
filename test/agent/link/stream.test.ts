import { sessionUser } from "../../../agent/openclaw/request.ts";
import { describe, expect, it } from "vitest";
import { sequencesOf, textOf } from "../fake-host.ts";
import { usage } from "../fake-model.ts";
import { configUpdate, setup, userSays } from "../setup.ts";

describe("a run", () => {
  it("is opened at once, streams as the model does, and ends with finish reason and usage", async () => {
    const { host, model, agent } = await setup();
    const exchange = host.message(userSays("hi", { request_id: "r" }));
    expect(await exchange.next("opened")).toEqual({
      boot_id: agent.bootId,
      attached: false,
      next_sequence: 1,
      life: expect.any(String),
    });
    const call = await model.next();
    call.text("Hel");
    expect(await exchange.next("chunk")).toEqual({
      content: "Hel",
      done: false,
      sequence: 1,
      mark: expect.any(Number),
    });
    call.text("lo");
    expect(await exchange.next("chunk")).toEqual({
      content: "lo",
      done: false,
      sequence: 2,
      mark: expect.any(Number),
    });
    call.finish("length");
    expect(await exchange.next("chunk")).toEqual({
      content: "",
      done: true,
      sequence: 3,
      finish_reason: "length",
      usage,
      mark: expect.any(Number),
    });
  });

  it("asks the model as configured, with context and system prompt before the text", async () => {
    const { host, model } = await setup({ ready: 200, openclawToken: "oc-token" });
    model.gateway.models = [{ provider: "openai", id: "gpt-x" }];
    const config = {
      model: "openai/gpt-x",
      temperature: 0.5,
      top_p: 0.9,
      max_tokens: 100,
      system_prompt: "Be brief.",
    };
    await host.ask("config_update", configUpdate(1, config));
    await host.ask("context_update", { context: "second", key: "b" });
    await host.ask("context_update", { context: "first" });
    host.message(userSays("hi", { conversation_id: "conv" }));
    const call = await model.next();
    expect(call.body).toEqual({
      model: "openclaw/default",
      stream: true,
      stream_options: { include_usage: true },
      user: sessionUser("conv"),
      temperature: 0.5,
      top_p: 0.9,
      max_tokens: 100,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "system", content: "first" },
        { role: "system", content: "second" },
        { role: "user", content: "hi" },
      ],
    });
    expect(call.headers).toMatchObject({
      authorization: "Bearer oc-token",
      "x-openclaw-model": "openai/gpt-x",
      "content-type": "application/json",
    });
  });

  it("names the model itself to a server that is no OpenClaw, and no user without a conversation", async () => {
    const { host, model } = await setup({ ready: 404 });
    host.message(userSays("hi"));
    const first = await model.next();
    expect(model.gateway.calls).toEqual([]);
    expect(first.body).toEqual({
      model: "default",
      stream: true,
      stream_options: { include_usage: true },
      messages: [{ role: "user", content: "hi" }],
    });
    expect(first.headers).not.toHaveProperty("authorization");
    await host.ask("config_update", configUpdate(1, { model: "llama" }));
    host.message({ role: "tool", content: "42", tool_call_id: "call_1" });
    const second = await model.next();
    expect(second.body["model"]).toBe("llama");
    expect(second.body.messages).toEqual([{ role: "tool", content: "42", tool_call_id: "call_1" }]);
    expect(second.headers).not.toHaveProperty("x-openclaw-model");
  });

  it("keeps the config that it began with", async () => {
    const { host, model } = await setup();
    await host.ask("config_update", configUpdate(1, {}, ["search"]));
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    await host.ask("config_update", configUpdate(2, {}, []));
    call.delta({ tool_calls: [{ index: 0, id: "c", function: { name: "search", arguments: "{}" } }] });
    call.finish("tool_calls");
    await exchange.next("opened");
    expect(await exchange.next("tool_call")).toMatchObject({ tool_name: "search" });
  });

  it("gets a name if the host gives none", async () => {
    const { host, model } = await setup();
    const [one, two] = [host.message(userSays("hi")), host.message(userSays("hi"))];
    (await model.next()).finish();
    (await model.next()).finish();
    await Promise.all([one.rest(), two.rest()]);
    expect(model.calls).toBe(2);
  });

  it("takes only text of choice 0", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    call.delta({ content: "no" }, 1);
    call.text("yes");
    call.finish();
    expect(textOf(await exchange.rest())).toBe("yes");
  });

  it("takes an answer that is not streamed", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi"));
    const message = { role: "assistant", content: "whole" };
    (await model.next()).json(200, { choices: [{ index: 0, message, finish_reason: "stop" }], usage });
    const frames = await exchange.rest();
    expect(textOf(frames)).toBe("whole");
    expect(frames.at(-1)?.payload).toMatchObject({ done: true, finish_reason: "stop", usage });
  });

  it("takes an end without [DONE] after a finish reason, and an event without its blank line", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    call.text("x");
    call.response.end(`data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`);
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ done: true, finish_reason: "stop" });
  });

  it("uses a model connection again after a complete answer", async () => {
    const { host, model } = await setup();
    const ports: (number | undefined)[] = [];
    for (let i = 0; i < 2; i++) {
      const exchange = host.message(userSays("hi"));
      const call = await model.next();
      ports.push(call.response.socket?.remotePort);
      call.finish();
      await exchange.rest();
      await call.closed;
    }
    expect(ports[1]).toBe(ports[0]);
  });
});

describe("many runs at once", () => {
  it("stay apart, on one link and on several", async () => {
    const { host, model, connect } = await setup();
    const hosts = [host, await connect(), await connect()];
    const exchanges = Array.from({ length: 48 }, (_, i) => hosts[i % 3]?.message(userSays(`run ${i}`)));
    const calls = await Promise.all(exchanges.map(() => model.next()));
    for (let piece = 0; piece < 5; piece++) {
      for (const call of calls) call.text(`${call.body.messages[0]?.content}, `);
    }
    for (const call of calls.toReversed()) call.finish();
    for (const [i, exchange] of exchanges.entries()) {
      expect(textOf((await exchange?.rest()) ?? [])).toBe(`run ${i}, `.repeat(5));
    }
  });
});

describe("long text", () => {
  it("is cut into frames of at most 64 KiB, never inside a surrogate pair", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    const text = `x${"😀".repeat(60_000)}${"\u0001".repeat(30_000)}${"ä".repeat(50_000)}`;
    call.text(text);
    call.finish();
    const frames = await exchange.rest();
    expect(textOf(frames)).toBe(text);
    expect(Math.max(...frames.map((frame) => frame.size))).toBeLessThanOrEqual(64 * 1024);
    const pieces = frames.filter((frame) => frame.type === "chunk");
    expect(pieces.length).toBeGreaterThan(8);
    for (const { payload } of pieces) expect((payload["content"] as string).isWellFormed()).toBe(true);
    expect(sequencesOf(frames)).toEqual(pieces.map((_, i) => i + 1));
  });

  it("holds back half of a surrogate pair until the model sends the other", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    call.text("a\ud83d", "\ude00b", "\ud83d");
    call.finish();
    const frames = (await exchange.rest()).filter((frame) => frame.type === "chunk");
    expect(frames.map(({ payload }) => payload["content"])).toEqual(["a", "😀b", ""]);
  });

  it("is put together if the model's bytes part a character", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    call.open();
    const bytes = Buffer.from(`data: {"choices":[{"index":0,"delta":{"content":"ä😀"}}]}\n\n`);
    for (const byte of bytes) {
      call.response.write(Buffer.of(byte));
      await new Promise(setImmediate);
    }
    call.finish();
    expect(textOf(await exchange.rest())).toBe("ä😀");
  });
});

describe("a model that is silent", () => {
  it("is told as progress while the run lives, and ends it with model_timeout", async () => {
    const { host, model } = await setup({ bounds: { progressMs: 20, modelSilenceMs: 400 } });
    const exchange = host.message(userSays("hi"));
    (await model.next()).open();
    const frames = await exchange.rest();
    expect(frames[0]?.type).toBe("opened");
    const progress = frames.filter((frame) => frame.type === "progress");
    expect(progress.length).toBeGreaterThan(1);
    expect(progress[0]?.payload).toEqual({});
    expect(frames.at(-1)?.payload).toMatchObject({ code: "model_timeout", sequence: 1 });
  });

  it("drops the model call when it gives up", async () => {
    const { host, model } = await setup({ bounds: { modelSilenceMs: 50 } });
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    await exchange.rest();
    await call.closed;
    expect(call.response.writableFinished).toBe(false);
  });

  it("ends at last even if the model goes on for ever", async () => {
    const { host, model } = await setup({ bounds: { runMs: 100 } });
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    const talking = setInterval(() => call.text("x"), 5);
    const frames = await exchange.rest();
    clearInterval(talking);
    expect(frames.at(-1)?.payload).toMatchObject({ code: "run_timeout" });
  });
});
