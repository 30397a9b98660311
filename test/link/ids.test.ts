import { expect, it } from "vitest";
import { mintId } from "../../src/link/ids.ts";

it("an exchange's id is 32 hexadecimal digits that no other one has, over many pools of random bytes", () => {
  const ids = Array.from({ length: 2_000 }, mintId);
  expect(ids.filter((id) => !/^[0-9a-f]{32}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(2_000);
});
