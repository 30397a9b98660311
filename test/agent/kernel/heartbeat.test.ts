import { describe, expect, it } from "vitest";
import { boundsWith } from "../../../agent/bounds.ts";
import { type Described, heartbeatOf } from "../../../agent/kernel/heartbeat.ts";
import type { GuestOptions } from "../../../agent/kernel/ports.ts";
import { noConfig } from "../../../agent/settings/config-in-force.ts";
import { PROTOCOL } from "../../../protocol/wire/vocabulary.ts";

const options: GuestOptions = {
  bounds: boundsWith({}),
  ids: { life: () => "l", request: () => "r" },
  token: undefined,
  agentId: "agent-1",
  version: "1.2.3",
  remembers: "disk",
};
const guest: Described = {
  bootId: "b",
  startedAt: 1_000,
  draining: false,
  inFlight: 0,
  config: { ...noConfig.applied, revision: 3, sha256: "c" },
  contextSha256: "x",
  server: { state: "ready", kind: "openclaw", kindReason: "it says so" },
};

describe("a heartbeat to a host that was let in", () => {
  it("tells everything that the guest knows of itself", () => {
    expect(heartbeatOf(guest, options, 1_000)).toMatchObject({
      status: "ready",
      uptime_secs: 0,
      protocol: PROTOCOL,
      agent_id: "agent-1",
      boot_id: "b",
      agent_version: "1.2.3",
      config_revision: 3,
      config_sha256: "c",
      context_sha256: "x",
      in_flight: 0,
      lives: true,
      remembers: "disk",
      openclaw: "ready",
      openclaw_kind: "openclaw",
      openclaw_kind_reason: "it says so",
    });
  });

  it("leaves out what nobody has said", () => {
    const told = heartbeatOf(
      { ...guest, server: { state: "starting", kind: undefined, kindReason: "" } },
      { ...options, agentId: undefined },
      1_000,
    );
    expect(told).toMatchObject({ openclaw: "starting" });
    for (const key of ["agent_id", "openclaw_kind", "openclaw_kind_reason"])
      expect(told).not.toHaveProperty(key);
  });

  it("counts whole seconds since the process started", () => {
    const uptime = (now: number) => heartbeatOf(guest, options, now).uptime_secs;
    expect([uptime(1_999), uptime(2_000), uptime(62_000)]).toEqual([0, 1, 61]);
  });

  it.each([
    [false, 0, "ready"],
    [false, 1, "running"],
    [true, 0, "draining"],
    [true, 2, "draining"],
  ])(
    "of a guest that drains: %s, with %i runs in flight, has the status %s",
    (draining, inFlight, status) => {
      expect(heartbeatOf({ ...guest, draining, inFlight }, options, 1_000)).toMatchObject({
        status,
        in_flight: inFlight,
      });
    },
  );
});
