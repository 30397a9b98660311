import { beforeEach, describe, expect, it } from "vitest";
import type { ContextEntry } from "../../../src/fleet/convergence/facts.ts";
import { NEW_ROUND, NO_ENTRIES, UNKNOWN_CONTEXT } from "../../../src/fleet/convergence/told.ts";
import { ToldGuest } from "../../../src/fleet/convergence/told-guest.ts";

const refusal = { version: "1", reason: "no" };
let told: ToldGuest;

beforeEach(() => {
  told = new ToldGuest();
});

const connect = (bootId: string, reports = true) => told.connected({ bootId, reports, heartbeat: {} });

describe("what a guest was told, when its link is another one", () => {
  it("holds no longer: what it acknowledged, its context, and how often that was missed", () => {
    told.assumed = 3;
    told.context = { kind: "known", entries: NO_ENTRIES };
    told.misses = 2;
    connect("a");
    expect([told.assumed, told.context, told.misses]).toEqual([0, UNKNOWN_CONTEXT, 0]);
  });

  it("is refused still by the same boot, and by no other one", () => {
    connect("a");
    told.refuse("k", refusal);
    connect("a");
    expect([...told.refusals]).toEqual([["k", refusal]]);
    connect("b");
    expect(told.refusals.size).toBe(0);
  });

  it("is not refused any more by a guest whose boots have no names", () => {
    connect("", false);
    told.refuse("k", refusal);
    told.refused = { revision: 1, bootId: "", reason: "no" };
    connect("", false);
    expect([told.refusals.size, told.refused]).toEqual([0, undefined]);
  });

  it("keeps the revision that a guest with named boots turned down", () => {
    const refused = { revision: 1, bootId: "a", reason: "no" };
    connect("a");
    told.refused = refused;
    connect("b");
    expect(told.refused).toBe(refused);
  });
});

describe("the end of a round", () => {
  it("begins a new one, and keeps a context that is known", () => {
    told.round = { ...NEW_ROUND, pushed: 4 };
    told.context = { kind: "known", entries: NO_ENTRIES };
    told.endRound();
    expect([told.round, told.context.kind]).toEqual([NEW_ROUND, "known"]);
  });

  it("knows what was given anew only if all else was dropped", () => {
    const entries = new Map([["k", {} as ContextEntry]]);
    told.context = { kind: "rebuilding", entries, dropped: true };
    told.endRound();
    expect(told.context).toEqual({ kind: "known", entries });
    told.context = { kind: "rebuilding", entries, dropped: false };
    told.endRound();
    expect(told.context).toEqual(UNKNOWN_CONTEXT);
  });
});

describe("refusals of context entries", () => {
  const entry = (key: string, version: string) => ({ key, version }) as ContextEntry;

  it("are kept for the entries that are to be there, in that version", () => {
    for (const key of ["same", "newer", "gone"]) told.refuse(key, refusal);
    told.keepRefusals([entry("same", "1"), entry("newer", "2")]);
    expect([...told.refusals.keys()]).toEqual(["same"]);
  });

  it("do not change what was answered before", () => {
    const before = told.refusals;
    told.refuse("k", refusal);
    told.keepRefusals([]);
    expect([before.size, told.refusals.size]).toEqual([0, 0]);
  });
});

it("an agent that is recreated under the same id was told nothing, and refused nothing", () => {
  told.assumed = 3;
  told.refused = { revision: 1, bootId: "a", reason: "no" };
  told.refuse("k", refusal);
  told.forget();
  expect([told.assumed, told.refused, told.refusals.size]).toEqual([0, undefined, 0]);
});
