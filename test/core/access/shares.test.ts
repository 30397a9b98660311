import { expect, test } from "vitest";
import { toValinorError } from "../../../src/core/errors.ts";
import { createShares } from "../../../src/core/access/shares.ts";

const limits = { all: 10, strangers: 6, peer: 4, connection: 3, credential: 5 };
const stranger = (address: string) => ({ address, connection: {} });

function times(count: number, take: () => () => void) {
  return Array.from({ length: count }, take);
}

test("strangers of one address have its share, and those of all addresses leave a reserve", () => {
  const shares = createShares("things", limits);
  times(4, () => shares.take(stranger("10.0.0.1")));
  expect(() => shares.take(stranger("10.0.0.1"))).toThrow("this address may hold 4 things");
  times(2, () => shares.take(stranger("10.0.0.2")));
  expect(() => shares.take(stranger("10.0.0.3"))).toThrow("callers without a credential may hold 6");
  times(4, () => shares.take({ ...stranger("10.0.0.1"), credential: "k" }));
  expect(() => shares.take({ ...stranger("10.0.0.1"), credential: "k" })).toThrow("this server may hold 10");
});

test("a credential and a connection have theirs, wherever they come from", () => {
  const shares = createShares("things", limits);
  for (const address of ["1.1.1.1", "2.2.2.2", "3.3.3.3", "4.4.4.4", "5.5.5.5"])
    shares.take({ ...stranger(address), credential: "k" });
  expect(() => shares.take({ ...stranger("6.6.6.6"), credential: "k" })).toThrow(
    "this credential may hold 5",
  );
  const connection = {};
  times(3, () => shares.take({ address: "7.7.7.7", connection, credential: "other" }));
  expect(() => shares.take({ address: "7.7.7.7", connection })).toThrow("this connection may hold 3");
});

test("what is given back can be taken again, once", () => {
  const shares = createShares("things", limits);
  const [first] = times(4, () => shares.take(stranger("10.0.0.1")));
  first?.();
  first?.();
  shares.take(stranger("10.0.0.1"));
  expect(() => shares.take(stranger("10.0.0.1"))).toThrow("this address");
});

test.each([
  ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", true],
  ["2001:db8:1:2::1", "2001:db8:1:3::1", false],
  ["::1", "::2", true],
  ["fe80::1%eth0", "fe80::2%eth1", true],
  ["::ffff:10.0.0.1", "::ffff:10.0.0.2", false],
])("%s and %s are one address: %j", (first, second, isOne) => {
  const shares = createShares("things", limits);
  times(4, () => shares.take(stranger(first)));
  const take = () => typeof shares.take(stranger(second));
  expect(attempt(take)).toBe(isOne ? "LIMIT_EXCEEDED" : "function");
});

function attempt(call: () => string): string {
  try {
    return call();
  } catch (error) {
    return toValinorError(error).reason;
  }
}
