import { expect, inject, test } from "vitest";
import { expectUnharmed } from "./goals.ts";
import { measure, startHostileServer } from "./harness.ts";

const server = await startHostileServer();
const forMs = inject("hostileMs");

test.each([
  ["a stranger", "stranger"],
  ["a made-up key", "madeUpKey"],
  ["a viewer", "viewer"],
  ["an operator", "operator"],
  ["an admin", "admin"],
  ["a platform's admin", "platform"],
])(
  "bodies of %s that cost more than they are long, to every method, leave a good client its calls",
  async (who, name) => {
    const plan = { title: `bodies of ${who}`, module: "clients-bodies.ts", name, peers: 8, forMs };
    const measured = await expectUnharmed(() => measure(server, plan));
    expect(measured.outcome.counts["status 500"]).toBeUndefined();
    expect(server.alive()).toBe(true);
  },
);
