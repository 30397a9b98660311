import { describe, expect, it } from "vitest";
import { isLoopback } from "../../../protocol/rules/loopback.ts";

describe("a host", () => {
  it.each(["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.255", "127.1.2.3", "::1", "[::1]"])(
    "%s is this machine",
    (host) => {
      expect(isLoopback(host)).toBe(true);
    },
  );

  it.each([
    "",
    "localhost.",
    "localhost.example",
    "127.0.0.1.example",
    "127.0.0",
    "127.0.0.256",
    "127.0.0.0001",
    "127.0.0.",
    "127.0.0.x",
    "128.0.0.1",
    "0.0.0.0",
    "::",
    "::2",
    "[::1",
    "10.127.0.1",
  ])("%s may be another machine", (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});
