import { describe, expect, it } from "vitest";
import { checkAccess } from "../../../agent/settings/access.ts";
import type { AgentOptions } from "../../../agent/settings/options.ts";
import { parseAddress } from "../../../protocol/transport/address.ts";

const check = (address: string, token: string | undefined, insecure: boolean) =>
  checkAccess({ address: parseAddress(address), token, insecure } as AgentOptions);

describe("an agent", () => {
  it.each(["tcp://0.0.0.0:1", "unix:///run/a", "vsock://3:1"])("on %s may listen with a token", (address) => {
    expect(() => check(address, "secret", false)).not.toThrow();
  });

  it("on vsock may listen without one: its listener lets in the host of the machine alone", () => {
    expect(() => check("vsock://3:1", undefined, false)).not.toThrow();
  });

  it("never listens with an empty token", () => {
    for (const address of ["tcp://127.0.0.1:1", "vsock://3:1"])
      expect(() => check(address, "", true)).toThrow("the token is empty");
  });

  it.each(["tcp://127.0.0.1:1", "unix:///run/a"])("on %s without a token has to be told so", (address) => {
    expect(() => check(address, undefined, false)).toThrow("needs --token-file");
    expect(() => check(address, undefined, true)).not.toThrow();
  });

  it("without a token is reached over loopback alone", () => {
    expect(() => check("tcp://10.0.0.1:1", undefined, true)).toThrow(
      "--insecure is for loopback only: an agent on 10.0.0.1 needs --token-file",
    );
  });
});
