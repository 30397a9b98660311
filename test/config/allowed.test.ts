import { describe, expect, test } from "vitest";
import { addressAllowed, isAddressPattern } from "../../src/config/allowed.ts";

describe("a pattern of addresses", () => {
  test.each([
    ["tcp://127.0.0.1:*", "tcp://127.0.0.1:9103"],
    ["tcp://127.0.0.1:9103", "tcp://127.0.0.1:9103"],
    ["tcp://[::1]:*", "tcp://[::1]:1"],
    ["tcp://*:9100", "tcp://10.0.0.1:9100"],
    ["tcp://Guest.Internal:*", "tcp://guest.internal:1"],
    ["unix:///run/vm/*", "unix:///run/vm/a.sock"],
    ["unix:///run/vm/*", "unix:///run/vm/a.sock?port=1024"],
    ["unix:///run/vm/*/v.sock", "unix:///run/vm/a/v.sock"],
    ["unix:///run/**", "unix:///run/vm/a/v.sock"],
    ["unix:///run/a b.sock", "unix:///run/a%20b.sock"],
    ["vsock://*:*", "vsock://3:1024"],
    ["vsock://*:1024", "vsock://4294967294:1024"],
    ["vsock://2:1024", "vsock://2:1024"],
  ])("%s holds for %s", (pattern, address) => {
    expect(isAddressPattern(pattern)).toBe(true);
    expect(addressAllowed(["tcp://192.0.2.1:1", pattern], address)).toBe(true);
  });

  test.each([
    ["tcp://127.0.0.1:*", "tcp://127.0.0.2:9103"],
    ["tcp://127.0.0.1:*", "tcp://127.0.0.1.example.com:9103"],
    ["tcp://127.0.0.1:910", "tcp://127.0.0.1:9103"],
    ["tcp://a.b:*", "tcp://axb:1"],
    ["unix:///run/vm/*", "unix:///run/vm/a/v.sock"],
    ["unix:///run/vm/*", "unix:///run/vm/../docker.sock"],
    ["unix:///run/vm/**", "unix:///run/vm/%2e%2e/docker.sock"],
    ["unix:///run/vm/**", "unix:///other/run/vm/a.sock"],
    ["unix:///run/a.sock", "unix:///run/axsock"],
    ["unix:///run/*.sock", "unix:///run/a.sock.other"],
    ["vsock://*:*", "vsock://2:1024"],
    ["vsock://*:*", "vsock://1:1024"],
    ["vsock://3:1024", "vsock://3:1025"],
    ["vsock://*:*", "tcp://127.0.0.1:1"],
    ["unix:///**", "tcp://127.0.0.1:1"],
    ["tcp://*:*", "http://127.0.0.1:1"],
    ["tcp://*:*", ""],
  ])("%s does not hold for %s", (pattern, address) => {
    expect(isAddressPattern(pattern)).toBe(true);
    expect(addressAllowed([pattern], address)).toBe(false);
  });

  test.each([
    "",
    "*",
    "tcp://127.0.0.1",
    "tcp://127.*.0.1:1",
    "unix://run/*",
    "unix:///a?port=1",
    "http://a:1",
  ])("is not %s", (text) => {
    expect(isAddressPattern(text)).toBe(false);
    expect(addressAllowed([text], "tcp://127.0.0.1:1")).toBe(false);
  });
});
