import { expect, it } from "vitest";
import { parseQuery, splitTarget } from "../../../src/http/routing/query.ts";

it("splits a target at its first question mark, and changes nothing in either part", () => {
  expect(splitTarget("/a%20b?c=?&d")).toEqual({ path: "/a%20b", query: "c=?&d" });
  expect(splitTarget("/a")).toEqual({ path: "/a", query: "" });
});

it("keeps the first value of each name, decoded", () => {
  const values = parseQuery("a=1&a=2&b=x+y%2Bz&&c&=d&e=%3D%26");
  expect([...values]).toEqual([
    ["a", "1"],
    ["b", "x y+z"],
    ["c", ""],
    ["", "d"],
    ["e", "=&"],
  ]);
});

it.each(["a=%", "a=%zz", "%ff=1"])("refuses the broken percent-encoding in %s", (query) => {
  expect(() => parseQuery(query)).toThrow("broken percent-encoding");
});
