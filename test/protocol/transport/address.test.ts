import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Address, formatAddress, parseAddress } from "../../../protocol/transport/address.ts";

describe("parseAddress", () => {
  test.each<[string, Address]>([
    ["tcp://127.0.0.1:9103", { kind: "tcp", host: "127.0.0.1", port: 9103 }],
    ["tcp://Guest.Internal:1", { kind: "tcp", host: "guest.internal", port: 1 }],
    ["tcp://[::1]:1", { kind: "tcp", host: "::1", port: 1 }],
    ["tcp://guest.internal:65535", { kind: "tcp", host: "guest.internal", port: 65535 }],
    ["unix:///run/vm/agent.sock", { kind: "unix", path: "/run/vm/agent.sock" }],
    ["unix:///run/a%20b/%25.sock", { kind: "unix", path: "/run/a b/%.sock" }],
    ["unix:///run/vm/v.sock?port=1024", { kind: "hybrid", path: "/run/vm/v.sock", port: 1024 }],
    ["unix:///v.sock?port=4294967294", { kind: "hybrid", path: "/v.sock", port: 4294967294 }],
    ["vsock://3:1024", { kind: "vsock", cid: 3, port: 1024 }],
    ["vsock://4294967294:70000", { kind: "vsock", cid: 4294967294, port: 70000 }],
  ])("reads %s", (text, address) => {
    expect(parseAddress(text)).toStrictEqual(address);
  });

  test.each([
    "",
    "127.0.0.1:9103",
    "http://127.0.0.1:80",
    "tcp://127.0.0.1",
    "tcp://127.0.0.1:0",
    "tcp://127.0.0.1:65536",
    "tcp://:9103",
    "tcp://user@127.0.0.1:1",
    "tcp://127.0.0.1:1/path",
    "tcp://127.0.0.1:1?x=1",
    "tcp://127.0.0.1:1#x",
    "unix://host/path",
    "unix:relative.sock",
    "unix://",
    "unix:///a%00b",
    "unix:///a%zz",
    "unix:///v.sock?port=",
    "unix:///v.sock?port=0",
    "unix:///v.sock?port=0x10",
    "unix:///v.sock?port=1e3",
    "unix:///v.sock?port=4294967296",
    "unix:///v.sock?port=1&port=2",
    "unix:///v.sock?prot=1024",
    "unix:///v.sock#x",
    "vsock://3",
    "vsock://:1024",
    "vsock://0:1024",
    "vsock://0x3:1024",
    "vsock://3:0",
    "vsock://3:4294967296",
    "vsock://4294967295:1024",
    "vsock://3:1024/",
    "vsock://host:1024",
  ])("refuses %j with a sentence that names it", (text) => {
    expect(() => parseAddress(text)).toThrow(JSON.stringify(text));
  });

  test("takes a path of 107 bytes and refuses one of 108", () => {
    const path = `/${"p".repeat(106)}`;
    expect(parseAddress(`unix://${path}`)).toStrictEqual({ kind: "unix", path });
    expect(parseAddress(`unix://${path}?port=1`)).toMatchObject({ path });
    expect(() => parseAddress(`unix://${path}p`)).toThrow("107 bytes");
    // Bytes count, not characters.
    expect(() => parseAddress(`unix:///${"é".repeat(54)}`)).toThrow("107 bytes");
  });
});

describe("formatAddress", () => {
  // No dot segments: a URL resolves them.
  const name = fc.string({ unit: "binary", minLength: 1, maxLength: 20 });
  const path = fc
    .array(name, { minLength: 1, maxLength: 3 })
    .filter((names) => names.every((one) => one !== "." && one !== ".." && !one.includes("\0")))
    .map((names) => `/${names.join("/")}`)
    .filter((one) => Buffer.byteLength(one) <= 107 && !/\/\.{1,2}(\/|$)/.test(one));
  // An IPv6 address comes back in its short form, a name in lower case.
  const ipV6 = fc.ipV6().map((host) => new URL(`tcp://[${host}]`).hostname.slice(1, -1));
  const host = fc.oneof(
    fc.ipV4(),
    ipV6,
    fc.domain().map((domain) => domain.toLowerCase()),
  );
  const port = fc.integer({ min: 1, max: 65535 });
  const vsockPort = fc.integer({ min: 1, max: 0xffffffff });
  const address = fc.oneof(
    fc.record({ kind: fc.constant("tcp"), host, port }),
    fc.record({ kind: fc.constant("unix"), path }),
    fc.record({ kind: fc.constant("hybrid"), path, port: vsockPort }),
    fc.record({ kind: fc.constant("vsock"), cid: fc.integer({ min: 1, max: 0xfffffffe }), port: vsockPort }),
  ) as fc.Arbitrary<Address>;

  test("writes what parseAddress reads, for every address", () => {
    fc.assert(
      fc.property(address, (address) => {
        const back = parseAddress(formatAddress(address));
        expect(back).toStrictEqual({ ...address });
      }),
      { numRuns: 500 },
    );
  });
});
