import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { guests } from "@valinor/protocol";
import type { Desired } from "../../src/fleet/convergence/facts.ts";
import { ConvergenceDriver } from "../../src/fleet/convergence-driver.ts";
import { Requests } from "../../src/fleet/requests.ts";
import type { Connection } from "../../src/link/connection.ts";
import type { Store } from "../../src/store/store.ts";
import { KeptErrors } from "../helpers/unexpected.ts";
import { config, said } from "./convergence/rig.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const key = { tenant: "t", id: "a" };

/** A connection of a guest that has revision 1 in force; it can't be pushed to. */
const connection = {
  guest: guests[2],
  bootId: "boot-1",
  heartbeat: said(1),
  heartbeatAt: 0,
} as unknown as Connection;

/** A driver whose looks at the store are these, one after the other; the last one stays. */
function startDriver(looks: readonly Desired[]) {
  const errors = new KeptErrors();
  const store = { recordVerdict: async () => {} } as unknown as Store;
  const requests = new Requests({ store, openConfig: (_key, stored) => stored, configMs: 100, errors });
  let looked = 0;
  vi.spyOn(requests, "load").mockImplementation(async () => {
    const found = looks[Math.min(looked++, looks.length - 1)];
    return found ?? { reason: "there is no look", isExhausted: false };
  });
  const driver = new ConvergenceDriver({ key, changed: () => {} }, requests);
  return { driver, errors, looks: () => looked };
}

describe("a driver of convergence", () => {
  it("counts a fault of the kernel, and begins anew after 5 s as on another link", async () => {
    const whole: Desired = { config: config(1), contexts: [] };
    const broken = { config: config(1) } as unknown as Desired;
    const { driver, errors } = startDriver([broken, whole]);
    driver.connected(connection);
    await vi.advanceTimersByTimeAsync(4_900);
    expect(errors.count).toBe(1);
    expect(errors.lines[0]).toMatchObject({
      text: "the convergence of an agent has failed, and is tried again",
      err: { name: "TypeError", stack: expect.stringContaining("context-step.ts") },
      tenant: "t",
      agent: "a",
    });
    expect(driver.state.kind).toBe("pending");
    await vi.advanceTimersByTimeAsync(200);
    expect(driver.state.kind).toBe("applied");
    expect(errors.count).toBe(1);
  });

  it("asks for nothing more, and leaves no timer, once it is closed", async () => {
    const { driver, looks } = startDriver([]);
    driver.connected(connection);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(looks()).toBeGreaterThan(3);
    driver.close();
    const before = looks();
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(looks()).toBe(before);
  });
});
