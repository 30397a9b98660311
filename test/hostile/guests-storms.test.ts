import { expect, inject, test } from "vitest";
import { expectUnharmed } from "./goals.ts";
import { conducts } from "./guests-conducts.ts";
import { startGuestWorld } from "./guests-world.ts";

const GUESTS = 100;
const world = await startGuestWorld(GUESTS);
const forMs = inject("hostileMs");

test.each(Object.keys(conducts).filter((name) => name !== "silent"))(
  "a hundred guests with %s leave the client of another agent its calls",
  async (conduct) => {
    await expectUnharmed(() => world.measure(conduct, forMs));
    expect(world.server.alive()).toBe(true);
  },
);
