import { describe, expect, it } from "vitest";
import { type Exchange, type FakeHost, sequencesOf, textOf } from "../fake-host.ts";
import { setup, userSays } from "../setup.ts";

/** Bytes of every frame that an exchange got within a round trip of a ping. */
async function received(host: FakeHost, exchange: Exchange): Promise<number[]> {
  await host.ask("ping", {});
  const sizes: number[] = [];
  while (exchange.frames.size > 0) sizes.push((await exchange.frames.take()).size);
  return sizes;
}

const sum = (sizes: number[]) => sizes.reduce((all, size) => all + size, 0);

describe("an exchange with credit", () => {
  it("gets nothing without any, not even opened", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi", { credit: 0 }));
    const call = await model.next();
    call.text("a");
    call.finish();
    await call.closed;
    expect(await received(host, exchange)).toEqual([]);
    exchange.credit(1);
    await exchange.next("opened");
    expect(await received(host, exchange)).toEqual([]);
  });

  it("may begin a frame while less than the limit was sent, and every frame counts", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi", { request_id: "r", credit: 1 }));
    const call = await model.next();
    const opened = await exchange.frames.take();
    expect(opened.type).toBe("opened");
    call.text("a", "b", "c");
    call.finish();
    await call.closed;
    exchange.credit(opened.size);
    expect(await received(host, exchange)).toEqual([]);
    exchange.credit(opened.size + 1);
    const first = await received(host, exchange);
    expect(first).toHaveLength(1);
    // A few bytes more than another frame: marks have not all the same number of digits.
    exchange.credit(opened.size + sum(first) + 10 + (first[0] as number));
    expect(await received(host, exchange)).toHaveLength(2);
    exchange.credit(1e9);
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ done: true, sequence: 4 });
  });

  it("keeps the limit if a lower one comes", async () => {
    const { host, model } = await setup();
    const exchange = host.message(userSays("hi", { credit: 1e6 }));
    exchange.credit(0);
    const call = await model.next();
    call.text("a");
    call.finish();
    expect(textOf(await exchange.rest())).toBe("a");
  });

  it("is told no progress that it has no credit for", async () => {
    const { host, model } = await setup({ bounds: { progressMs: 5 } });
    const stuck = host.message(userSays("hi", { request_id: "r", credit: 1 }));
    const call = await model.next();
    call.open();
    const free = host.message({ role: "", content: "", request_id: "r" });
    await free.next("opened");
    for (let i = 0; i < 3; i++) await free.next("progress");
    await stuck.next("opened");
    expect(await received(host, stuck)).toEqual([]);
  });

  it("gets an error without sequence for nothing", async () => {
    const { host } = await setup();
    const exchange = host.message({ role: "", content: "", request_id: "nobody", credit: 0 });
    expect(await exchange.next("error")).toMatchObject({ code: "run_unknown" });
  });

  it("that is stuck stops no other, neither of its run nor of its link", async () => {
    const { host, model } = await setup();
    const stuck = host.message(userSays("hi", { request_id: "r", credit: 1 }));
    const call = await model.next();
    const same = host.message({ role: "", content: "", request_id: "r" });
    const other = host.message(userSays("other"));
    const otherCall = await model.next();
    call.text("a", "b");
    otherCall.text("c");
    call.finish();
    otherCall.finish();
    expect(textOf(await same.rest())).toBe("ab");
    expect(textOf(await other.rest())).toBe("c");
    await stuck.next("opened");
    expect(stuck.frames.size).toBe(0);
    stuck.credit(1e6);
    expect(textOf(await stuck.rest())).toBe("ab");
  });
});

describe("a host that reads nothing", () => {
  it("fills its queue and no more, and gets everything once it reads", async () => {
    const { host, model, connect } = await setup();
    const other = await connect();
    host.socket.pause();
    const text = "x".repeat(50_000);
    const exchanges = ["r1", "r2", "r3"].map((id) => host.message(userSays("hi", { request_id: id })));
    for (let i = 0; i < exchanges.length; i++) {
      const call = await model.next();
      for (let n = 0; n < 60; n++) call.text(text);
      call.finish();
    }
    const free = other.message({ role: "", content: "", request_id: "r3" });
    expect(textOf(await free.rest())).toHaveLength(60 * text.length);
    host.socket.resume();
    for (const exchange of exchanges) {
      const frames = await exchange.rest();
      expect(textOf(frames)).toHaveLength(60 * text.length);
      expect(sequencesOf(frames)).toEqual(Array.from({ length: 61 }, (_, i) => i + 1));
    }
  });
});

describe("backpressure", () => {
  it("reaches the model when no reader takes events, and ends when one does", async () => {
    const { host, model } = await setup({ bounds: { journalRunBytes: 100_000 } });
    const exchange = host.message(userSays("hi", { credit: 1 }));
    const call = await model.next();
    const piece = `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content: "x".repeat(10_000) } }] })}\n\n`;
    call.open();
    // Far more than the sockets between the two hold.
    const pieces = 3_000;
    let written = 0;
    const allWritten = new Promise<void>((resolve) => {
      const write = () => {
        while (written < pieces) {
          written++;
          if (!call.response.write(piece)) return void call.response.once("drain", write);
        }
        resolve();
      };
      write();
    });
    await exchange.next("opened");
    expect(await settled(() => written)).toBeLessThan(2_000);
    exchange.credit(1e9);
    await allWritten;
    call.finish();
    expect(textOf(await exchange.rest())).toHaveLength(pieces * 10_000);
    await call.closed;
  });
});

/** A number that grows, once it has not for a while: that nothing happens has no event. */
async function settled(read: () => number): Promise<number> {
  for (let before = -1; ;) {
    const now = read();
    if (now === before) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}
