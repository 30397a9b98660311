import { expect, it } from "vitest";
import { notFoundMessage, onProbe, probeOf, tidyPath } from "../../src/core/edge.ts";

it.each([
  ["/", "/"],
  ["//", "/"],
  ["/a/", "/a"],
  ["//a///b//", "/a/b"],
])("tidies %s to %s", (path, tidy) => {
  expect(tidyPath(path)).toBe(tidy);
});

it("tells a client with careless slashes what to write, in bounded length", () => {
  expect(notFoundMessage("/nowhere")).toBe("there is nothing at this path");
  expect(notFoundMessage("//agents//a1/")).toContain("write /agents/a1,");
  expect(notFoundMessage(`/${"a".repeat(10_000)}/`).length).toBeLessThan(400);
});

it("knows how to probe a response that said so, and no other one", () => {
  const response = {};
  expect(probeOf(response)).toBeUndefined();
  const write = () => {};
  onProbe(response, write);
  expect(probeOf(response)).toBe(write);
  expect(probeOf({})).toBeUndefined();
});
