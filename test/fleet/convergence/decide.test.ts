import { describe, expect, it } from "vitest";
import { decide } from "../../../src/fleet/convergence/decide.ts";
import type { Desired } from "../../../src/fleet/convergence/facts.ts";
import {
  NEW_ROUND,
  NO_ENTRIES,
  NO_REFUSALS,
  type Observed,
  type Round,
  type Told,
  UNKNOWN_CONTEXT,
} from "../../../src/fleet/convergence/told.ts";
import { config, digest, digestOf, entry, said } from "./rig.ts";

const desired = (more: Partial<Desired> = {}): Desired => ({ config: config(2), contexts: [], ...more });

/** A guest that has revision 2 and no context. */
const observed = (more: Partial<Observed> = {}): Observed => ({
  bootId: "boot-1",
  reports: true,
  revision: 2,
  sha256: digest("c2"),
  isDoubtful: false,
  contextSha256: digestOf({}),
  said: said(2),
  ...more,
});

const told = (round: Partial<Round> = {}, more: Partial<Told> = {}): Told => ({
  assumed: 0,
  refused: undefined,
  context: UNKNOWN_CONTEXT,
  refusals: NO_REFUSALS,
  misses: 0,
  removals: [],
  raiseInMs: 0,
  round: { ...NEW_ROUND, ...round },
  ...more,
});

const one = entry("a", "A", "1");
const ahead = observed({ revision: 9, sha256: digest("alien") });
const refusals = new Map([["a", { version: "1", reason: "no" }]]);
const held = { kind: "known", entries: new Map([["old", entry("old", "x", "0")]]) } as const;
const kept = new Map([["old", { version: "", reason: "no" }]]);

/** A guest that was pushed everything, and has these entries now. */
const whole = (...entries: ReturnType<typeof entry>[]) =>
  ({
    kind: "rebuilding",
    entries: new Map(entries.map((record) => [record.key, record])),
    dropped: true,
  }) as const;

describe("decide", () => {
  it.each([
    ["asks the store first", undefined, observed(), told(), "unknown", ["load"]],
    ["asks it again if the guest is ahead", desired(), ahead, told(), "unconfirmed", ["load"]],
    ["raises the revision then", desired(), ahead, told({ confirmed: true }), "ahead", ["raise"]],
    [
      "waits if it was raised a short while ago",
      desired(),
      ahead,
      told({ confirmed: true }, { raiseInMs: 7 }),
      "raised lately",
      ["wait"],
    ],
    [
      "gives up if no number is left",
      desired(),
      ahead,
      told({ confirmed: true, isExhausted: true }),
      "exhausted",
      ["giveUp", "settle"],
    ],
    [
      "takes the same revision with another digest for ahead",
      desired(),
      observed({ sha256: digest("alien") }),
      told(),
      "unconfirmed",
      ["load"],
    ],
    [
      "does not if it does not know its own digest",
      desired({ config: { ...config(2), sha256: undefined } }),
      observed({ sha256: digest("alien") }),
      told(),
      "config differs",
      ["pushConfig"],
    ],
    [
      "pushes a configuration",
      desired(),
      observed({ revision: 1 }),
      told(),
      "config differs",
      ["pushConfig"],
    ],
    [
      "pushes it to a guest that contradicts itself",
      desired(),
      observed({ isDoubtful: true }),
      told(),
      "config differs",
      ["pushConfig"],
    ],
    [
      "pushes it once a round",
      desired(),
      observed({ revision: 1 }),
      told({ pushed: 2, configFailure: "no answer" }),
      "failed",
      ["contextInPlace", "wait"],
    ],
    [
      "pushes a context entry though the configuration failed",
      desired({ contexts: [one] }),
      observed({ revision: 1 }),
      told({ pushed: 2, configFailure: "no answer" }),
      "context differs",
      ["pushContext"],
    ],
    [
      "pushes no further entry once one has failed",
      desired({ contexts: [one] }),
      observed(),
      told({ contextFailure: "no answer" }),
      "failed",
      ["judge", "wait"],
    ],
    [
      "begins anew with a context that is not as it was pushed",
      desired(),
      observed({ contextSha256: digestOf({ b: "B" }), said: said(2, "c2", { contextSha256: digestOf({}) }) }),
      told({}, { context: { kind: "rebuilding", entries: NO_ENTRIES, dropped: true } }),
      "failed",
      ["judge", "contextUnlike", "wait"],
    ],
    [
      "says that the configuration was refused",
      desired(),
      observed({ revision: 1 }),
      told({}, { refused: { revision: 2, bootId: "boot-1", reason: "no" } }),
      "refused",
      ["judge", "contextInPlace", "settle"],
    ],
    [
      "pushes it if another boot refused it",
      desired(),
      observed({ revision: 1 }),
      told({}, { refused: { revision: 2, bootId: "boot-0", reason: "no" } }),
      "config differs",
      ["pushConfig"],
    ],
    [
      "says that an entry was refused",
      desired({ contexts: [one] }),
      observed(),
      told({}, { refusals }),
      "stuck",
      ["judge", "contextInPlace", "settle"],
    ],
    [
      "says that an entry stays though it is to go",
      desired(),
      observed({ contextSha256: digestOf({ old: "x" }) }),
      told({}, { context: held, refusals: kept }),
      "stuck",
      ["judge", "contextInPlace", "settle"],
    ],
    [
      "pushes an entry that changed in the store while the whole context was pushed",
      desired({ contexts: [one] }),
      observed({ contextSha256: digestOf({ a: "before" }) }),
      told({}, { context: whole(entry("a", "before", "0")) }),
      "context differs",
      ["judge", "pushContext"],
    ],
    [
      "removes an entry that left the store while the whole context was pushed",
      desired({ contexts: [one] }),
      observed({ contextSha256: digestOf({ a: "A", b: "B" }) }),
      told({}, { context: whole(one, entry("b", "B", "1")) }),
      "context differs",
      ["judge", "pushContext"],
    ],
    [
      "is done if all is there",
      desired(),
      observed(),
      told(),
      "in force",
      ["judge", "contextInPlace", "settle"],
    ],
    [
      "believes a guest that reports nothing what it acknowledged on this link",
      desired(),
      observed({ reports: false, revision: 0, sha256: "", contextSha256: undefined, said: {} }),
      told({}, { assumed: 2 }),
      "in force",
      ["judge", "contextInPlace", "settle"],
    ],
  ] as const)("%s", (_title, wanted, guest, answered, situation, kinds) => {
    const decision = decide(wanted, guest, answered);
    expect(decision.situation).toBe(situation);
    expect(decision.actions.map(({ kind }) => kind)).toEqual(kinds);
  });

  it("doubles the pause after each context that was not as it was pushed, up to a minute", () => {
    const unlike = observed({ contextSha256: digestOf({ b: "B" }) });
    const context = { kind: "rebuilding", entries: NO_ENTRIES, dropped: true } as const;
    const pauses = [0, 1, 2, 6, 7, 20].map((misses) => {
      const action = decide(desired(), unlike, told({}, { context, misses })).actions.at(-1);
      return action?.kind === "wait" ? action.leastMs : undefined;
    });
    expect(pauses).toEqual([500, 1_000, 2_000, 32_000, 60_000, 60_000]);
  });
});
