import { expect, inject, test } from "vitest";
import { expectUnharmed } from "./goals.ts";
import { measure, startHostileServer } from "./harness.ts";

const server = await startHostileServer();
const forMs = inject("hostileMs");

test.each([
  ["streams that clients leave", "leavingStreams"],
  ["connections that clients leave with streams open", "leavingConnections"],
])("%s leave a good client its calls, and the log its space", async (title, name) => {
  const plan = { title, module: "clients-leaving.ts", name, peers: 20, forMs };
  const measured = await expectUnharmed(() => measure(server, plan));
  expect(measured.outcome.counts["left"]).toBeGreaterThan(50);
  expect(measured.logged).toBeLessThan(64 * 1024);
});
