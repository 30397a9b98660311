import { expect, inject, test } from "vitest";
import { expectUnharmed } from "./goals.ts";
import { readyCall, startGuestWorld, unaryCall } from "./guests-world.ts";

const world = await startGuestWorld(64);
const forMs = inject("hostileMs");

const floods = [
  "one stream each, flooding within its credit",
  "one stream each of long chunks, flooding within its credit",
];

test.each(
  floods.flatMap((flood) => [
    [flood, "a quiet agent", unaryCall] as const,
    [flood, "/readyz", readyCall] as const,
  ]),
)("sixty-four agents with %s keep nobody waiting who asks %s", async (flood, _what, call) => {
  await expectUnharmed(() => world.measure(flood, forMs, [call]));
  expect(world.server.alive()).toBe(true);
});
