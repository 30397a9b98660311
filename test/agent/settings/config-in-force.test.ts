import { describe, expect, it } from "vitest";
import { ConfigInForce, type ConfigOutput, noConfig } from "../../../agent/settings/config-in-force.ts";
import { configOf } from "../kernel/machine.ts";

function setup(state = noConfig, queued = 3) {
  const orders: { ticket: number; revision: number }[] = [];
  const told: string[] = [];
  const output: ConfigOutput = {
    apply: (ticket, { revision }) => void orders.push({ ticket, revision }),
    onApplied: (revision) => void told.push(`applied ${revision}`),
    onNotApplied: (event, revision, reason) => void told.push(`${event} ${revision} ${reason ?? ""}`.trim()),
  };
  const config = new ConfigInForce({ appliesQueued: queued, exchanges: 2 }, output, state);
  const acks: object[] = [];
  const push = (revision: number, more: object = {}) =>
    config.push(configOf(revision, more) as never, { answer: (ack) => void acks.push(ack) });
  return { config, orders, told, acks, push };
}

describe("configurations", () => {
  it("have their turn one after the other, and those that are overtaken are refused without one", () => {
    const { config, orders, acks, push } = setup();
    push(1);
    push(3);
    push(2);
    expect(orders).toEqual([{ ticket: 1, revision: 1 }]);
    config.outcome(1, { kind: "applied" }, 0);
    expect(orders.at(-1)).toEqual({ ticket: 2, revision: 3 });
    config.outcome(2, { kind: "applied" }, 0);
    expect(orders).toHaveLength(2);
    expect(acks).toMatchObject([
      { applied: true, revision: 1 },
      { applied: true, revision: 3 },
      { applied: false, revision: 3, reason: "revision 2 is older than 3, which is in force" },
    ]);
    expect(acks[2]).not.toHaveProperty("retry");
  });

  it("that are the same wait for the same end, as many as there may be", () => {
    const { config, orders, acks, push } = setup();
    for (let i = 0; i < 3; i++) push(1);
    expect(acks).toMatchObject([{ applied: false, retry: true }]);
    config.outcome(1, { kind: "applied" }, 0);
    expect(orders).toHaveLength(1);
    expect(acks.slice(1)).toMatchObject([{ applied: true }, { applied: true }]);
  });

  it("that are too many are put off, which is no refusal", () => {
    const { acks, push } = setup(noConfig, 2);
    for (const revision of [1, 2, 3]) push(revision);
    expect(acks).toEqual([
      {
        applied: false,
        revision: 0,
        sha256: "",
        reason: "too many configurations wait for their turn",
        retry: true,
      },
    ]);
  });

  it("that OpenClaw refuses, or can't take yet, leave in force what is", () => {
    const { config, told, acks, push } = setup();
    push(1);
    config.outcome(1, { kind: "refused", reason: "OpenClaw has no model x" }, 0);
    push(1);
    config.outcome(2, { kind: "away", reason: "ECONNREFUSED" }, 0);
    expect(acks).toMatchObject([
      { applied: false, revision: 0, reason: "OpenClaw has no model x" },
      { applied: false, revision: 0, retry: true },
    ]);
    expect(told).toEqual(["config_refused 1", "config_waits 1 ECONNREFUSED"]);
  });

  it("are not concluded by the outcome of another ticket", () => {
    const { config, acks, push } = setup();
    push(1);
    config.outcome(2, { kind: "applied" }, 0);
    expect([acks, config.applied.revision]).toEqual([[], 0]);
  });

  it("in force are applied again when OpenClaw is back, once for all that was heard meanwhile", () => {
    const { config, orders, told, push } = setup();
    config.reapply();
    expect(orders).toEqual([]);
    push(1);
    config.outcome(1, { kind: "applied" }, 0);
    for (let i = 0; i < 3; i++) config.reapply();
    expect(orders.map(({ ticket }) => ticket)).toEqual([1, 2]);
    config.outcome(2, { kind: "away", reason: "x" }, 0);
    expect(told.at(-1)).toBe("config_not_reapplied 1 x");
    expect(orders.map(({ ticket }) => ticket)).toEqual([1, 2, 3]);
  });

  it("in force are not applied again if another one has taken their place", () => {
    const { config, orders, push } = setup();
    push(1);
    config.outcome(1, { kind: "applied" }, 0);
    push(2);
    config.reapply();
    config.outcome(2, { kind: "applied" }, 0);
    expect(orders.map(({ revision }) => revision)).toEqual([1, 2]);
  });

  it("go on in a copy of the state, whose waiters are gone", () => {
    const { config, acks, push } = setup();
    push(1);
    push(2);
    const copy = setup(config.snapshot());
    copy.config.outcome(1, { kind: "applied" }, 0);
    expect(copy.orders).toEqual([{ ticket: 2, revision: 2 }]);
    copy.config.outcome(2, { kind: "applied" }, 0);
    expect([copy.config.applied.revision, config.applied.revision]).toEqual([2, 0]);
    expect([acks, copy.acks]).toEqual([[], []]);
    copy.push(3);
    expect(copy.orders.at(-1)).toEqual({ ticket: 3, revision: 3 });
  });
});
