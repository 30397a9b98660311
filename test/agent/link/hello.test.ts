import { describe, expect, it, onTestFinished } from "vitest";
import { startAgent } from "../../../agent/agent.ts";
import { createLog } from "../../../agent/log.ts";
import { contextDigest } from "../../../protocol/wire/digest.ts";
import { connectHost } from "../fake-host.ts";
import { startModel } from "../fake-model.ts";
import { configUpdate, eventually, launch, letIn, setup, temporaryDir, userSays } from "../setup.ts";

async function agentWith(options: Parameters<typeof launch>[1]) {
  const model = await startModel();
  onTestFinished(() => model.close());
  const agent = await launch(model, options);
  const host = await connectHost(agent.address);
  onTestFinished(() => host.close());
  return { model, agent, host };
}

describe("before the hello", () => {
  it("tells a heartbeat of protocol 1 and the protocol, and nothing else", async () => {
    const { host } = await agentWith({ agentId: "a-1" });
    const first = await host.link.take();
    expect(first.type).toBe("heartbeat");
    expect(first.payload).toEqual({ status: "ready", uptime_secs: expect.any(Number), protocol: 2 });
  });

  it("answers a ping and ignores every other frame", async () => {
    const { host, model } = await agentWith({ token: "secret" });
    await host.link.take();
    const exchange = host.message(userSays("hi"));
    host.send("config_update", "c", configUpdate(1, {}));
    expect((await host.ask("ping", {})).type).toBe("pong");
    expect(exchange.frames.size).toBe(0);
    expect(model.calls).toBe(0);
    expect((await host.greet("secret"))["config_revision"]).toBe(0);
  });

  it("refuses a wrong token and closes", async () => {
    const { host } = await agentWith({ token: "secret" });
    await host.link.take();
    host.send("hello", "", { token: "secreT", protocol: 2 });
    const refusal = await host.link.take();
    expect(refusal).toMatchObject({ type: "error", id: "", payload: { code: "hello_refused" } });
    expect(refusal.payload).not.toHaveProperty("sequence");
    await host.closed;
  });

  it("refuses a host of protocol 1", async () => {
    const { host } = await agentWith({});
    await host.link.take();
    host.send("hello", "", { token: "", protocol: 1 });
    expect((await host.link.take()).payload).toMatchObject({ code: "hello_refused" });
  });

  it("closes when no hello comes in time", async () => {
    const { host } = await agentWith({ bounds: { helloMs: 20 } });
    await host.link.take();
    expect((await host.link.take()).payload).toMatchObject({ code: "hello_refused" });
    await host.closed;
  });
});

describe("after the hello", () => {
  it("tells all about itself at once", async () => {
    const { host, agent } = await agentWith({ token: "secret", agentId: "a-1" });
    await host.link.take();
    expect(await host.greet("secret")).toEqual({
      status: "ready",
      uptime_secs: expect.any(Number),
      protocol: 2,
      agent_id: "a-1",
      boot_id: agent.bootId,
      agent_version: expect.stringMatching(/^\d+\.\d+\.\d+/),
      config_revision: 0,
      config_sha256: "",
      context_sha256: contextDigest([]),
      in_flight: 0,
      openclaw: expect.stringMatching(/^(ready|starting)$/),
      lives: true,
      remembers: "memory",
    });
    expect(agent.bootId).toMatch(/^[0-9a-f]{32}$/);
  });

  it("leaves agent_id out if it was told none", async () => {
    const { host } = await agentWith({});
    await host.link.take();
    expect(await host.greet()).not.toHaveProperty("agent_id");
  });

  it("sends heartbeats by the clock", async () => {
    const { host } = await setup({ bounds: { heartbeatMs: 5, tickMs: 5 } });
    await host.status("ready");
    await host.status("ready");
    expect(await host.status("ready")).toMatchObject({ in_flight: 0 });
  });

  it("tells every link when a run begins, when it ends, and when config is applied", async () => {
    const { host, model, connect } = await setup();
    const other = await connect();
    const exchange = host.message(userSays("hi"));
    expect(await other.status("running")).toMatchObject({ in_flight: 1 });
    (await model.next()).finish();
    await exchange.rest();
    expect(await other.status("ready")).toMatchObject({ in_flight: 0 });
    await host.ask("config_update", configUpdate(7, {}));
    while ((await other.status("ready"))["config_revision"] !== 7);
  });

  it("tells how OpenClaw is", async () => {
    const { host, model } = await setup({ ready: 200, bounds: { probeMs: 5 } });
    const told = async (state: string) => {
      while ((await host.status("ready"))["openclaw"] !== state);
      return state;
    };
    expect(await told("ready")).toBe("ready");
    model.ready = 503;
    expect(await told("starting")).toBe("starting");
    model.ready = 404;
    expect(await told("ready")).toBe("ready");
    model.close();
    expect(await told("down")).toBe("down");
  });

  it("closes a link on which nothing was heard, and leaves one that pings", async () => {
    const { host, connect } = await setup({ bounds: { hostSilenceMs: 1_000, tickMs: 5 } });
    const other = await connect();
    const pinging = setInterval(() => other.send("ping", "p", {}), 10);
    await host.closed;
    clearInterval(pinging);
    expect(other.channel.closed).toBe(false);
  });

  it("drops unknown frames and frames of unknown exchanges", async () => {
    const { host, model } = await setup();
    host.send("telemetry" as "ping", "t", { x: 1 });
    host.send("chunk", "c", { content: "", done: true });
    host.send("credit", "nobody", { limit: 5 });
    host.send("detach", "nobody", {});
    host.send("message", "", userSays("hi"));
    host.send("pong", "p", {});
    expect((await host.ask("ping", {})).type).toBe("pong");
    while (host.link.size > 0) expect((await host.link.take()).type).toBe("heartbeat");
    expect(model.calls).toBe(0);
  });

  it("counts what it dropped, in the log", async () => {
    const { host, logged } = await setup();
    host.send("detach", "nobody", {});
    await host.ask("ping", {});
    host.close();
    const told = () => logged.find((line) => line.includes(`"link_closed"`));
    await eventually(() => told() !== undefined);
    expect(told()).toContain(`"dropped":1`);
  });

  it.each([
    ["that is no JSON", Buffer.from("\0\0\0\u0003{x}", "latin1")],
    ["of 4 MiB and a byte", Buffer.from([0x00, 0x40, 0x00, 0x01])],
    ["nested 65 deep", deepFrame(65)],
  ])("closes a link on a frame %s, and no other link", async (_, bytes) => {
    const { host, model, connect } = await setup();
    const other = await connect();
    const exchange = other.message(userSays("hi"));
    host.socket.write(bytes);
    await host.closed;
    const call = await model.next();
    call.text("a");
    call.finish();
    expect((await exchange.rest()).at(-1)).toMatchObject({ type: "chunk", payload: { done: true } });
  });
});

describe("starting", () => {
  const start = (address: Parameters<typeof startAgent>[0]["address"], more: object) =>
    startAgent({ address, openclawUrl: "http://127.0.0.1:9", log: createLog(() => {}), ...more });

  it("is refused on tcp and unix without a token", async () => {
    await expect(start({ kind: "tcp", host: "127.0.0.1", port: 0 }, {})).rejects.toThrow("--token-file");
    await expect(start({ kind: "unix", path: "/tmp/never-made.sock" }, {})).rejects.toThrow("--token-file");
  });

  it("is refused without a token if more than this machine could connect", async () => {
    await expect(start({ kind: "tcp", host: "0.0.0.0", port: 0 }, { insecure: true })).rejects.toThrow(
      "0.0.0.0",
    );
  });

  it("is refused with an empty token", async () => {
    await expect(start({ kind: "tcp", host: "127.0.0.1", port: 0 }, { token: "" })).rejects.toThrow("empty");
  });

  it("works on a unix socket", async () => {
    const { model } = await setup();
    const agent = await launch(model, { address: { kind: "unix", path: `${temporaryDir()}/a.sock` } });
    const host = await letIn(agent);
    expect((await host.ask("ping", {})).type).toBe("pong");
  });
});

function deepFrame(depth: number): Buffer {
  // The frame's own object and the payload are two levels.
  const payload = `{"a":${"[".repeat(depth - 2)}${"]".repeat(depth - 2)}}`;
  const json = Buffer.from(`{"type":"message","id":"d","payload":${payload}}`);
  const header = Buffer.alloc(4);
  header.writeUInt32BE(json.length);
  return Buffer.concat([header, json]);
}
