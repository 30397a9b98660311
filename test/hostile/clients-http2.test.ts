import { expect, inject, test } from "vitest";
import { expectUnharmed } from "./goals.ts";
import { measure, startHostileServer } from "./harness.ts";

const server = await startHostileServer();
const forMs = inject("hostileMs");

test.each([
  ["requests that are cancelled at once", "rapidReset"],
  ["requests without a credential", "requests"],
  ["headers that never end", "continuation"],
  ["empty continuations", "emptyContinuation"],
  ["pings", "pings"],
  ["settings", "settings"],
  ["header tables that change their size", "tableSizes"],
  ["window updates", "windowUpdates"],
  ["data frames with nothing in them", "emptyData"],
  ["priorities", "priorities"],
  ["headers without a name", "emptyHeaders"],
  ["large headers", "largeHeaders"],
  ["frames of unknown types", "unknownFrames"],
  ["resets of streams that never were", "resetsOfNothing"],
  ["bodies whose answers left early", "bodiesThatGoOn"],
  ["answers that there is no window for", "tinyWindows"],
  ["frames a byte at a time", "drips"],
])("a flood of %s over HTTP/2 leaves a good client its calls", async (what, name) => {
  const plan = { title: `HTTP/2, ${what}`, module: "clients-http2.ts", name, peers: 10, forMs };
  await expectUnharmed(() => measure(server, plan));
  expect(server.alive()).toBe(true);
});
