import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Deliveries } from "../../src/link/deliveries.ts";
import { limits } from "../../protocol/wire/limits.ts";
import { connectTo, forever } from "./connect.ts";
import { startGuest, until } from "./fake-guest.ts";

const { deliverTurnFrames: FRAMES, deliverTurnBytes: BYTES } = limits;

/** Asks for a batch's turn; its name is logged when it comes. */
function ask(deliveries: Deliveries, log: string[], name: string, frames: number, bytes = 0): void {
  const turn = deliveries.turn(frames, bytes);
  if (turn === undefined) log.push(name);
  else void turn.then(() => log.push(name));
}

describe("readers", () => {
  it("get their batches at once while a turn has something left", async () => {
    const deliveries = new Deliveries();
    for (let turn = 0; turn < 20; turn++) {
      expect(deliveries.turn(FRAMES / 8, BYTES / 8)).toBeUndefined();
      await nextTurn();
    }
  });

  it.each([
    ["frames", FRAMES / 2, 0],
    ["bytes", 20, BYTES / 2],
  ] as const)("get no more %s in a turn than it has, one after the other", async (_what, frames, bytes) => {
    const deliveries = new Deliveries();
    const log: string[] = [];
    for (const name of ["a", "b", "c", "d", "e"]) ask(deliveries, log, name, frames, bytes);
    const perTurn: string[] = [];
    while (log.length > 0 || deliveries.waiting > 0) {
      perTurn.push(log.splice(0).join(""));
      await nextTurn();
    }
    expect(perTurn).toEqual(["ab", "cd", "e"]);
  });

  it("of a small batch do not wait behind large ones, but not without a bound", async () => {
    const deliveries = new Deliveries();
    const log: string[] = [];
    for (const name of ["A", "B", "C"]) ask(deliveries, log, name, FRAMES);
    ask(deliveries, log, "q", 3, 300);
    expect(log).toEqual(["A", "q"]);
    let small = 0;
    while (deliveries.turn(8, 0) === undefined) small += 8;
    expect(small).toBeLessThanOrEqual(FRAMES);
    while (deliveries.waiting > 0) await nextTurn();
    expect(log).toEqual(["A", "q", "B", "C"]);
  });
});

describe("what waited for many readers", () => {
  it("is handed over in batches, in the measure of a turn, whole and in order", async () => {
    const streams = 6;
    const frames = 700;
    const guest = await startGuest({ on: { message: "keep" } });
    const connection = await connectTo(guest);
    const ask = { role: "user", content: "hi", credit: limits.creditWindow };
    const exchanges = await Promise.all(
      Array.from({ length: streams }, () => connection.open("message", ask, forever)),
    );
    const session = await guest.session(1);
    for (const { id } of exchanges) {
      for (let i = 1; i < frames; i++) session.text(id, i, `${i}`);
      session.done(id, frames);
    }
    await until("all of it has come", () => exchanges.every(({ held }) => held > frames * 60));
    const sequences = exchanges.map((): unknown[] => []);
    let inTurn = 0;
    const perTurn: number[] = [];
    let isReading = true;
    const turns = (async () => {
      while (isReading) {
        await nextTurn();
        perTurn.push(inTurn);
        inTurn = 0;
      }
    })();
    await Promise.all(
      exchanges.map(async (exchange, i) => {
        for (let batch = await exchange.take(); batch !== undefined; batch = await exchange.take()) {
          expect(batch.length).toBeLessThanOrEqual(limits.deliverFrames);
          inTurn += batch.length;
          sequences[i]?.push(...batch.map(({ payload }) => payload["sequence"]));
        }
      }),
    );
    isReading = false;
    await turns;
    for (const read of sequences) expect(read).toEqual(Array.from({ length: frames }, (_, i) => i + 1));
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(FRAMES + limits.deliverFrames);
  });
});
