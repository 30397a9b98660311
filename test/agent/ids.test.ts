import { expect, it } from "vitest";
import { mintBootId, randomIds } from "../../agent/ids.ts";

it.each([
  ["lives", () => randomIds.life()],
  ["requests", () => randomIds.request()],
  ["boots", mintBootId],
])("names of %s are never minted twice, and are of letters and digits", (_, mint) => {
  const names = Array.from({ length: 1_000 }, mint);
  expect(new Set(names).size).toBe(1_000);
  for (const name of names) expect(name).toMatch(/^[\w-]{16,64}$/);
});
