import { afterEach, describe, expect, it, vi } from "vitest";
import { ValinorError } from "../../../src/core/errors.ts";
import { createQuota, type QuotaLimits } from "../../../src/core/access/quota.ts";
import type { Caller } from "../../../src/core/types.ts";
import { failureOf, forever } from "../../link/connect.ts";
import { startGuest } from "../../link/fake-guest.ts";
import { drain, message, startWorld, streamed, userOf } from "../world.ts";

afterEach(() => vi.useRealTimers());

const none: QuotaLimits = {
  tenantRequestsPerSecond: 0,
  keyRequestsPerSecond: 0,
  tenantRuns: 0,
  keyRuns: 0,
};

const callerOf = (tenant: string, credential = "key:1", subject = "ann"): Caller => ({
  tenant,
  subject,
  credential,
  permissions: new Set(["agents:read"]),
});

/** Whether a request is let through. */
async function passes(request: Promise<void> | undefined): Promise<boolean> {
  try {
    await request;
    return true;
  } catch (error) {
    if (error instanceof ValinorError && error.reason === "RATE_LIMITED") return false;
    throw error;
  }
}

describe("requests a second", () => {
  it("are not counted if nothing bounds them", () => {
    expect(createQuota(none).request(callerOf("acme"))).toBeUndefined();
  });

  it("are bounded for a tenant as a whole, and come back a second later", async () => {
    vi.useFakeTimers({ now: 0 });
    const quota = createQuota({ ...none, tenantRequestsPerSecond: 3 });
    const ask = (caller: Caller) => passes(quota.request(caller));
    expect(await ask(callerOf("acme", "key:1"))).toBe(true);
    expect(await ask(callerOf("acme", "key:2"))).toBe(true);
    expect(await ask(callerOf("acme", "jwt:x"))).toBe(true);
    vi.setSystemTime(400);
    await expect(quota.request(callerOf("acme"))).rejects.toMatchObject({
      reason: "RATE_LIMITED",
      retryMs: 600,
    });
    expect(await ask(callerOf("blue"))).toBe(true);
    vi.setSystemTime(1_001);
    expect(await ask(callerOf("acme"))).toBe(true);
  });

  it("are bounded for each credential and subject, and what is refused costs the tenant nothing", async () => {
    vi.useFakeTimers({ now: 0 });
    const quota = createQuota({ ...none, keyRequestsPerSecond: 2, tenantRequestsPerSecond: 5 });
    const ask = (credential: string, subject?: string) =>
      passes(quota.request(callerOf("acme", credential, subject)));
    const results: boolean[] = [];
    for (let n = 0; n < 10; n++) results.push(await ask("key:1"));
    expect(results.filter(Boolean)).toHaveLength(2);
    expect(await ask("jwt:x", "ann")).toBe(true);
    expect(await ask("jwt:x", "bob")).toBe(true);
    expect(await ask("key:2")).toBe(true);
    expect(await ask("key:2")).toBe(false); // the tenant's five
  });

  it("of names that are idle are forgotten", async () => {
    vi.useFakeTimers({ now: 0 });
    const quota = createQuota({ ...none, keyRequestsPerSecond: 1 });
    for (let n = 0; n < 1_000; n++) await quota.request(callerOf("acme", `key:${n}`));
    expect(vi.getTimerCount()).toBe(1_000);
    vi.advanceTimersByTime(1_000);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("runs in flight", () => {
  it("are bounded for tenant and credential, and each ends once", () => {
    const quota = createQuota({ ...none, tenantRuns: 3, keyRuns: 2 });
    const [one, two] = [quota.run(callerOf("acme")), quota.run(callerOf("acme"))];
    expect(() => quota.run(callerOf("acme"))).toThrow(/2 runs in flight/);
    const three = quota.run(callerOf("acme", "key:2"));
    expect(() => quota.run(callerOf("acme", "key:2"))).toThrow(/3 runs in flight/);
    quota.run(callerOf("blue"));
    one();
    one();
    one();
    quota.run(callerOf("acme", "key:2"));
    expect(() => quota.run(callerOf("acme", "key:3"))).toThrow(/3 runs in flight/);
    two();
    three();
    quota.run(callerOf("acme", "key:3"));
    quota.run(callerOf("acme", "key:3"));
  });

  it("give their place back when they end, fail, are closed, or never began", async () => {
    const world = await startWorld({ quotas: { keyRuns: 1 }, messageMs: 300 });
    const guest = await startGuest({});
    await world.add("a", guest.address);
    const me = userOf("default", "ann");

    guest.on["message"] = (session, { id, payload }) => {
      session.opened(id);
      const content = String(payload["content"]);
      if (content === "done") session.done(id, 1);
      if (content === "fail") session.send("error", id, { code: "model_error", message: "no", sequence: 1 });
    };
    for (const content of ["fail", "done"]) {
      await drain(await world.core.stream(me, streamed("a", content), forever));
    }

    // Closed by its reader, while another one is kept out.
    const open = await world.core.stream(me, streamed("a", "wait"), forever);
    const failure = await failureOf(world.core.stream(me, streamed("a", "done"), forever));
    expect(failure).toMatchObject({ reason: "RATE_LIMITED" });
    await drain(await world.core.stream(userOf("default", "bob"), streamed("a", "done"), forever));
    open.close();
    open.close();

    // A unary call: answered, timed out, gone.
    await world.core.send(me, message("a", "done"), forever);
    expect(await failureOf(world.core.send(me, message("a", "wait"), forever))).toMatchObject({
      reason: "AGENT_TIMEOUT",
    });
    const gone = new AbortController();
    const sent = world.core.send(me, message("a", "wait"), gone.signal);
    gone.abort();
    expect(await failureOf(sent)).toMatchObject({ reason: "CLIENT_GONE" });

    // Refused by the agent, and by an agent that there is not.
    guest.on["message"] = (session, { id }) => session.send("error", id, { code: "busy", message: "full" });
    expect(await failureOf(world.core.stream(me, streamed("a", "x"), forever))).toMatchObject({
      reason: "AGENT_BUSY",
    });
    expect(await failureOf(world.core.stream(me, streamed("nobody", "x"), forever))).toMatchObject({
      reason: "AGENT_NOT_FOUND",
    });

    // The link breaks under it.
    guest.on["message"] = (session, { id }) => {
      session.opened(id);
      session.socket.destroy();
    };
    await failureOf(world.core.send(me, message("a", "x"), forever));

    guest.on["message"] = (session, { id }) => {
      session.opened(id);
      session.done(id, 1);
    };
    await world.core.send(me, message("a", "done"), forever);
  });
});
