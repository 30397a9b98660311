import { connect } from "node:net";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { parseAddress } from "../../../protocol/transport/address.ts";
import { textOf } from "../fake-host.ts";
import { setup, userSays } from "../setup.ts";

describe("an agent that is told to stop", () => {
  it("tells draining, refuses new messages, lets runs finish and be read, then closes", async () => {
    const { host, model, agent, connect } = await setup();
    const other = await connect();
    const exchange = host.message(userSays("hi", { request_id: "r" }));
    const call = await model.next();
    call.text("a");
    await exchange.next("opened");
    const closing = agent.close();
    expect(await host.status("draining")).toMatchObject({ in_flight: 1 });
    await other.status("draining");
    expect(await host.message(userSays("hi")).next("error")).toEqual({
      code: "draining",
      message: expect.any(String),
    });
    const attached = other.message({ role: "", content: "", request_id: "r" });
    expect(await attached.next("opened")).toMatchObject({ attached: true });
    call.text("b");
    call.finish();
    expect(textOf(await exchange.rest())).toBe("ab");
    expect(textOf(await attached.rest())).toBe("ab");
    await closing;
    await host.closed;
    await other.closed;
    expect(model.calls).toBe(1);
  });

  it("takes no new link", async () => {
    const { host, model, agent } = await setup();
    host.message(userSays("hi"));
    await model.next();
    void agent.close();
    await host.status("draining");
    const { port } = parseAddress(agent.address) as { port: number };
    const [error] = (await once(connect(port, "127.0.0.1"), "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  });

  it("cancels what is in flight when its time is up, and says so", async () => {
    const { host, model, agent } = await setup({ bounds: { drainMs: 30 } });
    const exchange = host.message(userSays("hi"));
    const call = await model.next();
    call.open();
    await exchange.next("opened");
    await agent.close();
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ code: "cancelled", sequence: 1 });
    await call.closed;
  });

  it("waits for nobody when nothing is under way, and may be told twice", async () => {
    const { host, agent } = await setup({ bounds: { drainMs: 60_000 } });
    await Promise.all([agent.close(), agent.close()]);
    await host.closed;
    expect(host.channel.closed).toBe(true);
  });
});

describe("an agent that is killed", () => {
  it("is gone at once, and so is its model call", async () => {
    const { host, model, agent } = await setup();
    host.message(userSays("hi"));
    const call = await model.next();
    call.open();
    agent.kill();
    await call.closed;
    expect((await host.closed).code).toBe("interrupted");
  });
});
