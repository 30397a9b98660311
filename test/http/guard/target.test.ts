import type { IncomingMessage } from "node:http";
import { expect, it } from "vitest";
import { normalizeTarget } from "../../../src/http/guard/target.ts";

/** A request's target and Host header after it was brought into the form that routes know. */
function normalized(url: string, httpVersionMajor = 1) {
  const req = { url, httpVersionMajor, headers: { host: "first.example" } };
  normalizeTarget(req as unknown as IncomingMessage);
  return [req.url, req.headers.host];
}

it.each([
  ["/agents/a1?message=%7e", "/agents/a1?message=%7e"],
  ["/%61gents/%41%2d%5F%7e", "/agents/A-_~"],
  ["/a%2Fb%25%20", "/a%2Fb%25%20"],
  ["//agents//", "//agents//"],
  ["*", "*"],
])("brings %s into the form %s, and leaves the Host as it is", (given, wanted) => {
  expect(normalized(given)).toEqual([wanted, "first.example"]);
});

it("makes an absolute target its path, and its authority the Host", () => {
  expect(normalized("http://Second.example:8080/agents?a=b")).toEqual(["/agents?a=b", "Second.example:8080"]);
  expect(normalized("https://second.example")).toEqual(["/", "second.example"]);
  expect(normalized("http://second.example?a=b")).toEqual(["/?a=b", "second.example"]);
});

it("takes no absolute target from HTTP/2, which has its own authority", () => {
  expect(normalized("http://second.example/a", 2)).toEqual(["http://second.example/a", "first.example"]);
});
