import { expect, inject, test } from "vitest";
import { expectUnharmed } from "./goals.ts";
import { conducts } from "./guests-conducts.ts";
import { startGuestWorld } from "./guests-world.ts";

const GUESTS = 100;
const world = await startGuestWorld(GUESTS);
const forMs = inject("hostileMs");
/** What is read from sockets lies outside of V8's heap, and to free it V8 collects all of the heap in turns of up to 130 ms. */
const room: { readonly [conduct: string]: number } = {
  "all but one byte of 4 MiB, while a message is read": 3,
};

test.each(Object.keys(conducts).filter((name) => name !== "silent"))(
  "a hundred guests with %s leave the client of another agent its calls",
  async (conduct) => {
    await expectUnharmed(() => world.measure(conduct, forMs), room[conduct]);
    expect(world.server.alive()).toBe(true);
  },
);
