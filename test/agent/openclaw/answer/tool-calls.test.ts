import { describe, expect, it } from "vitest";
import { configUpdate, setup, userSays } from "../../setup.ts";

const piece = (index: number, id?: string, name?: string, args = "") => ({
  index,
  ...(id !== undefined && { id, type: "function" }),
  function: { ...(name !== undefined && { name }), arguments: args },
});

/** A run under a policy, its model call, and what the host gets. */
async function runWith(tools: string[] | undefined | "nothing") {
  const { host, model } = await setup();
  if (tools !== "nothing") await host.ask("config_update", configUpdate(1, {}, tools));
  const exchange = host.message(userSays("hi"));
  return { exchange, call: await model.next() };
}

describe("a tool call", () => {
  it("is put together from its pieces, and told when the next one begins or the choice ends", async () => {
    const { exchange, call } = await runWith(undefined);
    call.delta({ tool_calls: [piece(0, "c1", "search", '{"q":')] });
    call.delta({ tool_calls: [piece(0, undefined, undefined, '"x"}')] });
    call.delta({ tool_calls: [piece(1, "c2", "open")] });
    await exchange.next("opened");
    expect(await exchange.next("tool_call")).toEqual({
      sequence: 1,
      call_id: "c1",
      tool_name: "search",
      arguments: '{"q":"x"}',
      mark: expect.any(Number),
    });
    call.finish("tool_calls");
    expect(await exchange.next("tool_call")).toEqual({
      sequence: 2,
      call_id: "c2",
      tool_name: "open",
      arguments: "",
      mark: expect.any(Number),
    });
    expect(await exchange.next("chunk")).toMatchObject({
      done: true,
      finish_reason: "tool_calls",
      sequence: 3,
    });
  });

  it("gets an id if the model gives none, and takes arguments that are an object", async () => {
    const { exchange, call } = await runWith(undefined);
    call.delta({ tool_calls: [{ function: { name: "search", arguments: { q: 1 } } }] });
    call.finish("tool_calls");
    await exchange.next("opened");
    expect(await exchange.next("tool_call")).toMatchObject({
      call_id: expect.stringMatching(/^call_[0-9a-f]{24}$/),
      arguments: '{"q":1}',
    });
  });

  it("is seen in an answer that is not streamed", async () => {
    const { exchange, call } = await runWith([]);
    const message = { role: "assistant", content: null, tool_calls: [piece(0, "c1", "search", "{}")] };
    call.json(200, { choices: [{ index: 0, message, finish_reason: "tool_calls" }] });
    expect((await exchange.rest()).at(-1)).toMatchObject({ type: "tool_blocked" });
  });

  it.each([
    ["that is not listed", ["open"], 0],
    ["if none is allowed", [], 0],
    ["before the first config", "nothing", 0],
    ["of another choice than the first", ["open"], 1],
  ] as const)("%s ends the run and the model call", async (_, tools, choice) => {
    const { exchange, call } = await runWith(tools as string[] | "nothing");
    call.text("let me see");
    call.delta({ tool_calls: [piece(0, "c1", "search", "{}")] }, choice);
    call.event({ choices: [{ index: choice, delta: {}, finish_reason: "tool_calls" }] });
    await call.closed;
    const frames = await exchange.rest();
    expect(frames.map(({ type }) => type)).toEqual(["opened", "chunk", "tool_blocked"]);
    expect(frames.at(-1)?.payload).toEqual({
      tool_name: "search",
      reason: "tool not in allow-list",
      sequence: 2,
      mark: expect.any(Number),
    });
  });

  it("that is listed passes, and the first that is not ends the run", async () => {
    const { exchange, call } = await runWith(["open"]);
    call.delta({ tool_calls: [piece(0, "c1", "open"), piece(1, "c2", "Open")] });
    call.finish("tool_calls");
    const frames = await exchange.rest();
    expect(frames.map(({ type }) => type)).toEqual(["opened", "tool_call", "tool_blocked"]);
  });

  it("of the old function_call form is checked as well", async () => {
    const { exchange, call } = await runWith(["open"]);
    call.delta({ function_call: { name: "search", arguments: "{}" } });
    call.finish("function_call");
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ tool_name: "search" });
  });

  it("without a name ends the run with parse_error", async () => {
    const { exchange, call } = await runWith(undefined);
    call.delta({ tool_calls: [piece(0, "c1")] });
    call.finish("tool_calls");
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ code: "parse_error" });
  });

  it("with arguments of 1 MiB passes, and with a byte more is too_large", async () => {
    const { exchange, call } = await runWith(undefined);
    const [first, second] = [`["${"x".repeat(512 * 1024 - 2)}`, `${"x".repeat(512 * 1024 - 2)}"]`];
    call.delta({ tool_calls: [piece(0, "c1", "open", first)] });
    call.delta({ tool_calls: [piece(0, undefined, undefined, second)] });
    call.delta({ tool_calls: [piece(1, "c2", "open", first)] });
    call.delta({ tool_calls: [piece(1, undefined, undefined, `${second}x`)] });
    await exchange.next("opened");
    expect((await exchange.next("tool_call"))["arguments"]).toHaveLength(1024 * 1024);
    expect(await exchange.next("error")).toMatchObject({ code: "too_large", sequence: 2 });
    await call.closed;
  });

  it("that fits into no frame once escaped is too_large", async () => {
    const { exchange, call } = await runWith(undefined);
    call.delta({ tool_calls: [piece(0, "c1", "open", "\u0001".repeat(500 * 1024))] });
    call.delta({ tool_calls: [piece(0, undefined, undefined, "\u0001".repeat(400 * 1024))] });
    call.finish("tool_calls");
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ code: "too_large" });
  });

  it("is bounded in how many are begun at once", async () => {
    const { exchange, call } = await runWith(undefined);
    for (let choice = 0; choice < 129; choice++) call.delta({ tool_calls: [piece(0, "c", "open")] }, choice);
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ code: "too_large" });
  });
});
