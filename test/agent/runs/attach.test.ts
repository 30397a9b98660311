import { describe, expect, it } from "vitest";
import { type Exchange, type FakeHost, sequencesOf, textOf } from "../fake-host.ts";
import type { FakeModel, ModelCall } from "../fake-model.ts";
import { setup, userSays } from "../setup.ts";

/** Attaches to a run without a message. */
function attach(host: FakeHost, requestId: string, afterSequence = 0): Exchange {
  return host.message({ role: "", content: "", request_id: requestId, after_sequence: afterSequence });
}

/** A run with the events a, b, c and its end. */
async function endedRun(host: FakeHost, model: FakeModel): Promise<ModelCall> {
  const exchange = host.message(userSays("hi", { request_id: "r" }));
  const call = await model.next();
  call.text("a", "b", "c");
  call.finish();
  await exchange.rest();
  return call;
}

describe("attaching to a run that is over", () => {
  it.each([0, 1, 2, 3])("gives the events after %i", async (after) => {
    const { host, model, agent } = await setup();
    await endedRun(host, model);
    const exchange = attach(host, "r", after);
    expect(await exchange.next("opened")).toEqual({
      boot_id: agent.bootId,
      attached: true,
      next_sequence: after + 1,
      life: expect.any(String),
    });
    const frames = await exchange.rest();
    expect(textOf(frames)).toBe("abc".slice(after));
    expect(sequencesOf(frames)).toEqual([1, 2, 3, 4].slice(after));
  });

  it("gives the terminal event again to one who has read it", async () => {
    const { host, model } = await setup();
    await endedRun(host, model);
    const exchange = attach(host, "r", 4);
    expect(await exchange.next("opened")).toMatchObject({ attached: true, next_sequence: 4 });
    expect(await exchange.next("chunk")).toMatchObject({ done: true, sequence: 4 });
  });

  it("is refused past its end", async () => {
    const { host, model } = await setup();
    await endedRun(host, model);
    expect(await attach(host, "r", 5).next("error")).toEqual({
      code: "run_lost",
      message: expect.any(String),
    });
  });

  it("works on another link", async () => {
    const { host, model, connect } = await setup();
    await endedRun(host, model);
    host.close();
    expect(textOf(await attach(await connect(), "r").rest())).toBe("abc");
  });
});

describe("attaching to a run in flight", () => {
  it("gives what was and what comes, on several links at once", async () => {
    const { host, model, connect } = await setup();
    const first = host.message(userSays("hi", { request_id: "r" }));
    const call = await model.next();
    call.text("a", "b");
    await first.next("opened");
    await first.next("chunk");
    await first.next("chunk");
    const second = attach(await connect(), "r");
    const third = attach(host, "r", 1);
    await second.next("opened");
    await third.next("opened");
    call.text("c");
    call.finish();
    expect(textOf(await first.rest())).toBe("c");
    expect(textOf(await second.rest())).toBe("abc");
    expect(textOf(await third.rest())).toBe("bc");
    expect(model.calls).toBe(1);
  });

  it("past what it has is refused: that was read of another run", async () => {
    const { host, model } = await setup();
    host.message(userSays("hi", { request_id: "r" }));
    const call = await model.next();
    const now = attach(host, "r");
    await now.next("opened");
    expect(await attach(host, "r", 1).next("error")).toEqual({
      code: "run_lost",
      message: expect.any(String),
    });
    call.text("a");
    expect(await now.next("chunk")).toMatchObject({ sequence: 1 });
    const late = attach(host, "r", 1);
    expect(await late.next("opened")).toMatchObject({ next_sequence: 2 });
    call.finish();
    expect(await late.next("chunk")).toMatchObject({ done: true, sequence: 2 });
  });
});

describe("attaching", () => {
  it("to a run that nobody knows is run_unknown", async () => {
    const { host, model } = await setup();
    expect(await attach(host, "nobody").next("error")).toMatchObject({ code: "run_unknown" });
    const resumed = host.message(userSays("hi", { request_id: "nobody", after_sequence: 1 }));
    expect(await resumed.next("error")).toMatchObject({ code: "run_unknown" });
    expect(model.calls).toBe(0);
  });

  it("without a request_id is invalid", async () => {
    const { host } = await setup();
    expect(await host.message({ role: "", content: "" }).next("error")).toMatchObject({
      code: "invalid_message",
    });
  });

  it("after the journal was dropped is run_trimmed", async () => {
    const { host, model } = await setup({ bounds: { journalKeepMs: 1, tickMs: 2 } });
    await endedRun(host, model);
    let code: unknown;
    while (code !== "run_trimmed") code = (await attach(host, "r").rest()).at(-1)?.payload["code"];
    const again = host.message(userSays("hi", { request_id: "r" }));
    expect(await again.next("error")).toMatchObject({ code: "run_trimmed" });
    const other = host.message(userSays("other", { request_id: "r" }));
    expect(await other.next("error")).toMatchObject({ code: "request_id_reused" });
    expect(model.calls).toBe(1);
  });
});

describe("a message", () => {
  it.each([
    ["role", { role: "system", content: "x" }],
    ["role", { role: "assistant", content: "x" }],
    ["role", { role: 7, content: "x" }],
    ["content", { role: "user", content: ["x"] }],
    ["request_id", { role: "user", content: "x", request_id: 5 }],
    ["request_id", { role: "user", content: "x", request_id: "x".repeat(513) }],
    ["after_sequence", { role: "user", content: "x", after_sequence: -1 }],
    ["after_sequence", { role: "user", content: "x", after_sequence: "1" }],
    ["credit", { role: "user", content: "x", credit: -1 }],
    ["on_disconnect", { role: "user", content: "x", on_disconnect: "explode" }],
    ["min_config_revision", { role: "user", content: "x", min_config_revision: 1.5 }],
    ["tool_call_id", { role: "tool", content: "x", tool_call_id: 1 }],
  ])("with a wrong %s is invalid: %j", async (key, payload) => {
    const { host, model } = await setup();
    const error = await host.message(payload).next("error");
    expect(error).toEqual({ code: "invalid_message", message: expect.stringContaining(key) });
    expect(model.calls).toBe(0);
  });

  it("under an exchange id in use is dropped", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi"));
    host.send("message", exchange.id, userSays("again"));
    const call = await model.next();
    call.finish();
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ done: true });
    expect(model.calls).toBe(1);
  });
});
