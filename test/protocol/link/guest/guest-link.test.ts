import { describe, expect, it } from "vitest";
import { HostEnd, Machine } from "../../../agent/kernel/machine.ts";

const quiet = { hostSilenceMs: 1e9, heartbeatMs: 1e9 };

describe("a link that was just opened", () => {
  it("tells little of the guest before hello, and everything after it", () => {
    const machine = new Machine({ token: "secret" });
    const host = new HostEnd(machine);
    expect(host.got.map(({ payload }) => payload)).toEqual([
      { status: "ready", uptime_secs: 0, protocol: 2 },
    ]);
    host.message("a", {});
    host.send("ping", "p", {});
    expect(host.types("a")).toEqual([]);
    expect(host.types("p")).toEqual(["pong"]);
    host.send("hello", "", { token: "secret", protocol: 2 });
    expect(host.got.at(-1)).toMatchObject({ type: "heartbeat", payload: { boot_id: "boot", in_flight: 0 } });
  });

  it.each([
    [{ token: "wrong", protocol: 2 }, "the token is wrong"],
    [{ protocol: 2 }, "the token is wrong"],
    [{ token: "secret", protocol: 1 }, "this guest speaks protocol 2"],
    [{ token: "secret" }, "this guest speaks protocol 2"],
  ])("is closed after hello %j", (hello, message) => {
    const host = new HostEnd(new Machine({ token: "secret" }));
    host.send("hello", "", hello);
    expect(host.got.at(-1)).toMatchObject({
      type: "error",
      id: "",
      payload: { code: "hello_refused", message },
    });
    expect(host.gone?.code).toBe("refused");
  });

  it("takes a newer host, which is to speak as old as the guest", () => {
    const host = new HostEnd(new Machine());
    host.send("hello", "", { token: "", protocol: 3 });
    expect(host.gone).toBeUndefined();
  });

  it("is closed if no hello comes in time", () => {
    const machine = new Machine({ bounds: { helloMs: 5_000 } });
    const host = new HostEnd(machine);
    machine.pass(4_999);
    expect(host.gone).toBeUndefined();
    machine.pass(1);
    expect(host.gone?.message).toBe("no hello came in time");
    expect(machine.kernel.nextWake()).toBeUndefined();
  });

  it("is closed when nothing is heard, after one question whether the host is there", () => {
    const machine = new Machine({ bounds: { ...quiet, hostSilenceMs: 60_000 } });
    const host = machine.greeted();
    machine.pass(59_999);
    expect(host.got.filter(({ type }) => type === "ping")).toHaveLength(1);
    host.link.heard(machine.now);
    machine.pass(59_999);
    expect(host.gone).toBeUndefined();
    machine.pass(1);
    expect(host.gone?.code).toBe("interrupted");
  });
});

describe("an exchange", () => {
  it("is begun by the first message under its id alone", () => {
    const machine = new Machine({ bounds: quiet });
    const host = machine.greeted();
    host.message("a", { request_id: "r" });
    host.message("a", { request_id: "other" });
    machine.record();
    expect([host.types("a"), machine.calls.length]).toEqual([["opened"], 1]);
  });

  it("is refused by an error without a sequence when the link has too many", () => {
    const machine = new Machine({ bounds: { ...quiet, exchanges: 1 } });
    const host = machine.greeted();
    host.message("a", { request_id: "r" });
    host.message("b", { request_id: "r" });
    expect(host.of("b").map(({ payload }) => payload)).toEqual([
      { code: "busy", message: "the link has too many exchanges" },
    ]);
    host.send("detach", "a", {});
    host.message("c", { request_id: "s" });
    machine.record();
    expect(host.types("c")).toEqual(["opened"]);
  });

  it("is not touched by what is sent for it after its end", () => {
    const machine = new Machine({ bounds: quiet });
    const host = machine.greeted();
    host.message("a", { request_id: "r" });
    machine.record();
    machine.finishes();
    const before = host.got.length;
    host.send("credit", "a", { limit: 1e9 });
    host.send("detach", "a", {});
    expect(host.got).toHaveLength(before);
    host.cut();
    expect(machine.logged.at(-1)).toMatchObject({ event: "link_closed", fields: { dropped: 2 } });
  });
});

describe("a frame of a host", () => {
  it.each([
    ["message", { role: "nobody" }, "invalid_message"],
    ["cancel", {}, "invalid_message"],
    ["cancel", { request_id: "" }, "invalid_message"],
    ["cancel", { request_id: "r", reason: 1 }, "invalid_message"],
    ["config_update", { config: [] }, "invalid_config"],
    ["context_update", { context: 1 }, "invalid_config"],
  ])("%s %j is answered with an error of its exchange alone", (type, payload, code) => {
    const host = new Machine({ bounds: quiet }).greeted();
    host.send(type, "a", payload);
    expect(host.of("a").map((frame) => [frame.type, frame.payload["code"]])).toEqual([["error", code]]);
    host.send("ping", "p", {});
    expect(host.types("p")).toEqual(["pong"]);
  });

  it("that has no id, an unknown type, or a second hello, is dropped and counted", () => {
    const machine = new Machine({ bounds: quiet });
    const host = machine.greeted();
    const before = host.got.length;
    host.message("", {});
    host.send("telemetry", "t", {});
    host.send("hello", "h", { token: "", protocol: 2 });
    host.send("credit", "x", { limit: 1 });
    host.send("pong", "p", {});
    host.cut();
    expect(host.got).toHaveLength(before);
    expect(machine.logged.at(-1)).toMatchObject({ event: "link_closed", fields: { dropped: 4 } });
  });

  it("context_update is answered with the digest that is in force after it", () => {
    const host = new Machine({ bounds: { ...quiet, contextEntries: 1 } }).greeted();
    host.send("context_update", "a", { context: "x" });
    host.send("context_update", "b", { context: "y", key: "other" });
    const [a, b] = ["a", "b"].map((id) => host.of(id)[0]?.payload);
    expect(a).toEqual({ applied: true, context_sha256: expect.any(String) });
    expect(b).toEqual({ ...a, applied: false, reason: "context has at most 1 entries" });
  });

  it("that comes after the link was refused is not looked at", () => {
    const machine = new Machine({ token: "secret" });
    const host = new HostEnd(machine);
    host.finish = () => {}; // what is queued is still leaving
    host.send("hello", "", { token: "wrong", protocol: 2 });
    const before = host.got.length;
    host.send("hello", "", { token: "secret", protocol: 2 });
    host.send("ping", "p", {});
    machine.pass(60_000);
    expect(host.got).toHaveLength(before);
  });
});

describe("a full link", () => {
  it("lets its readers go on in turn, and one that fills it again is behind those that wait", () => {
    const machine = new Machine({ bounds: quiet });
    const host = machine.greeted();
    for (const id of ["a", "b", "c"]) host.message(id, { request_id: "r" });
    machine.record();
    host.space = 0;
    const order = () =>
      host.got
        .splice(0)
        .map(({ id }) => id)
        .join("");
    order();
    machine.says("1", "2", "3");
    for (const round of ["a", "b", "c", "a", "b", "c"]) {
      host.room(1);
      expect(order()).toBe(round);
    }
  });
});
