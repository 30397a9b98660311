import { describe, expect, it } from "vitest";
import { textOf } from "../fake-host.ts";
import { eventually, setup, userSays } from "../setup.ts";

const says = (onDisconnect: string | undefined) =>
  userSays("hi", { request_id: "r", ...(onDisconnect && { on_disconnect: onDisconnect }) });
const attach = (onDisconnect?: string) => ({
  role: "",
  content: "",
  request_id: "r",
  ...(onDisconnect && { on_disconnect: onDisconnect }),
});

describe("when the last reader detaches", () => {
  it.each([undefined, "cancel"])("a run with on_disconnect %s is cancelled at once", async (onDisconnect) => {
    const { host, model } = await setup();
    const exchange = host.message(says(onDisconnect));
    const call = await model.next();
    call.text("a");
    await exchange.next("opened");
    await exchange.next("chunk");
    exchange.detach();
    await call.closed;
    const frames = await host.message(attach()).rest();
    expect(frames.at(-1)).toMatchObject({ type: "error", payload: { code: "cancelled", sequence: 2 } });
    expect(exchange.frames.size).toBe(0);
  });

  it("a run with on_disconnect continue goes on", async () => {
    const { host, model } = await setup();
    const exchange = host.message(says("continue"));
    const call = await model.next();
    exchange.detach();
    await host.ask("ping", {});
    call.text("a");
    call.finish();
    expect(textOf(await host.message(attach()).rest())).toBe("a");
    expect(exchange.frames.size).toBeLessThanOrEqual(1); // opened, which was sent before
  });

  it("only the last one counts", async () => {
    const { host, model } = await setup();
    const first = host.message(says("cancel"));
    const call = await model.next();
    const second = host.message(attach());
    await second.next("opened");
    first.detach();
    await host.ask("ping", {});
    call.text("a");
    call.finish();
    expect(textOf(await second.rest())).toBe("a");
  });

  it("the latest on_disconnect decides, and a message without one changes nothing", async () => {
    const { host, model } = await setup();
    const first = host.message(says("cancel"));
    const call = await model.next();
    const second = host.message(attach("continue"));
    const third = host.message(attach());
    await third.next("opened");
    for (const exchange of [first, second, third]) exchange.detach();
    await host.ask("ping", {});
    call.text("a");
    call.finish();
    expect(textOf(await host.message(attach()).rest())).toBe("a");
  });
});

describe("when the last reader's link is lost", () => {
  it("a run to be cancelled goes on for a while, then is cancelled", async () => {
    const { host, model, connect } = await setup({ bounds: { orphanMs: 60 } });
    host.message(says("cancel"));
    const call = await model.next();
    host.close();
    await call.closed;
    const frames = await (await connect()).message(attach()).rest();
    expect(frames.at(-1)?.payload).toMatchObject({ code: "cancelled" });
  });

  it("a run that somebody attaches to in that time lives", async () => {
    const { host, model, connect, logged } = await setup({ bounds: { orphanMs: 500 } });
    const other = await connect();
    host.message(says("cancel"));
    const call = await model.next();
    host.close();
    await eventually(() => logged.some((line) => line.includes(`"link_closed"`)));
    const exchange = other.message(attach());
    await exchange.next("opened");
    await new Promise((resolve) => setTimeout(resolve, 600)); // longer than the run would have lived alone
    call.text("a");
    call.finish();
    expect(textOf(await exchange.rest())).toBe("a");
  });

  it("a run that shall continue does", async () => {
    const { host, model, connect } = await setup({ bounds: { orphanMs: 1 } });
    host.message(says("continue"));
    const call = await model.next();
    host.close();
    const other = await connect();
    await new Promise((resolve) => setTimeout(resolve, 20));
    call.text("a");
    call.finish();
    expect(textOf(await other.message(attach()).rest())).toBe("a");
  });
});

describe("cancel", () => {
  it("ends the model call, and every reader gets the terminal error", async () => {
    const { host, model, connect } = await setup();
    const first = host.message(says("continue"));
    const call = await model.next();
    call.text("a");
    const other = await connect();
    const second = other.message(attach());
    await second.next("opened");
    await second.next("chunk");
    const ack = await other.ask("cancel", { request_id: "r", reason: "enough" });
    expect(ack).toMatchObject({ type: "cancel_ack", payload: { found: true } });
    const error = { code: "cancelled", message: "enough", sequence: 2, mark: expect.any(Number) };
    expect((await first.rest()).at(-1)?.payload).toEqual(error);
    expect((await second.rest()).at(-1)?.payload).toEqual(error);
    await call.closed;
  });

  it("finds neither a run that nobody knows nor one that is over", async () => {
    const { host, model } = await setup();
    const exchange = host.message(says("cancel"));
    (await model.next()).finish();
    await exchange.rest();
    for (const requestId of ["r", "nobody"]) {
      const ack = await host.ask("cancel", { request_id: requestId, reason: "" });
      expect(ack).toMatchObject({ type: "cancel_ack", payload: { found: false } });
    }
  });

  it("without a request_id is invalid", async () => {
    const { host } = await setup();
    expect(await host.ask("cancel", {})).toMatchObject({
      type: "error",
      payload: { code: "invalid_message" },
    });
  });
});
