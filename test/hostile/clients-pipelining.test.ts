import { expect, inject, test } from "vitest";
import { expectUnharmed } from "./goals.ts";
import { measure, startHostileServer } from "./harness.ts";

const server = await startHostileServer();
const forMs = inject("hostileMs");

test.each([
  ["with keys that are made up", "madeUpKeys"],
  ["without a credential", "noCredential"],
  ["of which no answer is read", "unread"],
  ["with another tenant's key", "knownKey"],
  ["of the health route", "health"],
])("twenty connections that pipeline requests %s leave a good client its calls", async (title, name) => {
  const plan = { title: `pipelining ${title}`, module: "clients-pipelining.ts", name, peers: 20, forMs };
  await expectUnharmed(() => measure(server, plan));
  expect(server.alive()).toBe(true);
});
