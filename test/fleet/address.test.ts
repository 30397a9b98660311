import { describe, expect, it } from "vitest";
import { addressOf, type AddressRules } from "../../src/fleet/address.ts";

const rules: AddressRules = {
  transport: "tcp",
  tcpBasePort: 9_100,
  hybridPath: "/run/{tenant}/{agent_id}.sock",
  guestPort: 1_024,
};
const agent = { tenant: "t", id: "a", vsockCid: 3, address: "" };

describe("the address of an agent", () => {
  it("is its own if it has one, whatever the transport", () => {
    expect(addressOf({ ...agent, address: "unix:///a.sock" }, rules)).toEqual({
      kind: "unix",
      path: "/a.sock",
    });
  });

  it("is derived from its CID", () => {
    expect(addressOf(agent, rules)).toEqual({ kind: "tcp", host: "127.0.0.1", port: 9_103 });
    expect(addressOf(agent, { ...rules, transport: "vsock" })).toEqual({
      kind: "vsock",
      cid: 3,
      port: 1_024,
    });
  });

  it("is derived from its names if the VMM has a socket for each", () => {
    expect(addressOf({ ...agent, tenant: "$&$1" }, { ...rules, transport: "hybrid" })).toEqual({
      kind: "hybrid",
      path: "/run/$&$1/a.sock",
      port: 1_024,
    });
  });

  it.each(["..", ".", "", "x/../../etc", "a\0b"])(
    "is none for a tenant that leads elsewhere: %j",
    (tenant) => {
      expect(() => addressOf({ ...agent, tenant }, { ...rules, transport: "hybrid" })).toThrow("hybrid_path");
    },
  );

  it("is unknown without a CID, with one too high, and without a transport", () => {
    expect(addressOf({ ...agent, vsockCid: 0 }, rules)).toBeUndefined();
    expect(addressOf({ ...agent, vsockCid: 60_000 }, rules)).toBeUndefined();
    expect(addressOf({ ...agent, vsockCid: 0 }, { ...rules, transport: "vsock" })).toBeUndefined();
    expect(addressOf(agent, { ...rules, transport: undefined })).toBeUndefined();
  });
});
