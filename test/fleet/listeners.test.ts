import { expect, it } from "vitest";
import { type FleetListener, Listeners } from "../../src/fleet/listeners.ts";

const listener = (): FleetListener => ({ changed() {}, removed() {}, resync() {} });

it("a listener is told of its tenant alone, and of what concerns all, until it leaves", () => {
  const listeners = new Listeners();
  const [a, b, other] = [listener(), listener(), listener()];
  const leave = listeners.add("acme", a);
  listeners.add("acme", b);
  listeners.add("other", other);
  const told = (tenant?: string) => {
    const found: FleetListener[] = [];
    if (tenant === undefined) listeners.tellAll((one) => void found.push(one));
    else listeners.tell(tenant, (one) => void found.push(one));
    return found;
  };
  expect([told("acme"), told("other"), told("nobody"), told()]).toEqual([[a, b], [other], [], [a, b, other]]);
  leave();
  leave();
  expect([told("acme"), told()]).toEqual([[b], [b, other]]);
});
