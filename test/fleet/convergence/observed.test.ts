import { beforeEach, describe, expect, it } from "vitest";
import type { Said } from "../../../src/fleet/convergence/facts.ts";
import { ObservedGuest } from "../../../src/fleet/convergence/observed.ts";

let guest: ObservedGuest;

beforeEach(() => {
  guest = new ObservedGuest();
});

const connect = (bootId: string, heartbeat: Said, reports = true) =>
  guest.connected({ bootId, reports, heartbeat });
const report = () => [guest.revision, guest.sha256];

describe("what a guest reports of its configuration", () => {
  it("is what its first heartbeat says, with 0 and an empty digest for what that leaves out", () => {
    connect("a", { configRevision: 4, configSha256: "x", contextSha256: "c" });
    expect([guest.bootId, guest.contextSha256, ...report()]).toEqual(["a", "c", 4, "x"]);
    connect("b", {});
    expect([guest.contextSha256, ...report()]).toEqual([undefined, 0, ""]);
  });

  it("never falls within a boot: a lower one raises a doubt, and changes nothing", () => {
    connect("a", { configRevision: 4, configSha256: "x" });
    guest.said = { configRevision: 3, configSha256: "y" };
    expect(guest.takeSaid("a")).toBe(true);
    expect([guest.isDoubtful, ...report()]).toEqual([true, 4, "x"]);
    connect("a", { configRevision: 5 });
    expect([guest.isDoubtful, guest.revision]).toEqual([false, 5]);
  });

  it("falls with another boot", () => {
    connect("a", { configRevision: 4 });
    connect("b", { configRevision: 1 });
    expect([guest.isDoubtful, guest.revision]).toEqual([false, 1]);
  });

  it("is news if its boot, its revision or its digest was not known", () => {
    const take = (bootId: string, revision: number, sha256: string) =>
      guest.take(bootId, { revision, sha256 });
    expect([
      take("a", 1, "x"),
      take("a", 1, "x"),
      take("a", 1, "y"),
      take("a", 2, "y"),
      take("b", 2, "y"),
      take("b", 1, "y"),
    ]).toEqual([true, false, true, true, true, false]);
    expect(report()).toEqual([2, "y"]);
  });

  it("is taken from an acknowledgement that says what is in force", () => {
    connect("a", { configRevision: 1 });
    guest.takeAck("a", { inForce: undefined });
    expect(guest.revision).toBe(1);
    guest.takeAck("a", { inForce: { revision: 2, sha256: "z" } });
    expect(report()).toEqual([2, "z"]);
  });

  it("is nothing if the guest reports nothing, whatever its heartbeat says", () => {
    connect("", { configRevision: 4 }, false);
    expect([guest.takeSaid(""), guest.revision]).toEqual([false, 0]);
  });
});

describe("an agent that is recreated under the same id", () => {
  it("keeps what its guest reports of itself", () => {
    connect("a", { configRevision: 4, configSha256: "x" });
    guest.forget();
    expect(report()).toEqual([4, "x"]);
  });

  it("has nothing of what was assumed of a guest that reports nothing", () => {
    connect("", {}, false);
    guest.take("", { revision: 4, sha256: "x" });
    guest.forget();
    expect(report()).toEqual([0, ""]);
    expect(guest.take("", { revision: 1, sha256: "x" })).toBe(true);
  });
});

describe("an OpenClaw that came back", () => {
  it("is news once, after it was away", () => {
    connect("a", { openclaw: "ready" });
    expect(guest.becameReady()).toBe(false);
    guest.said = { openclaw: "down" };
    guest.sawReady();
    expect(guest.becameReady()).toBe(false);
    guest.said = { openclaw: "ready" };
    expect([guest.becameReady(), guest.becameReady()]).toEqual([true, false]);
  });

  it("is no news on a link whose first heartbeat says that it is ready", () => {
    connect("a", { openclaw: "down" });
    connect("a", { openclaw: "ready" });
    expect(guest.becameReady()).toBe(false);
  });
});
