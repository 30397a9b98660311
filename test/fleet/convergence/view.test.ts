import { describe, expect, it } from "vitest";
import type { Desired } from "../../../src/fleet/convergence/facts.ts";
import { NEW_ROUND, NO_REFUSALS, type Observed, type Told } from "../../../src/fleet/convergence/told.ts";
import { View } from "../../../src/fleet/convergence/view.ts";
import { config, digest, digestOf, entry } from "./rig.ts";

const A = entry("a", "be kind", "1");

interface Given {
  readonly desired?: Desired;
  readonly observed?: Partial<Observed>;
  readonly told?: Partial<Told>;
}

/** What follows for a guest that has revision 5 with no context in force, but for what is given; 5 is what it is to have. */
function view({ desired = { config: config(5), contexts: [] }, observed = {}, told = {} }: Given): View {
  const seen: Observed = {
    bootId: "boot-1",
    reports: true,
    revision: 5,
    sha256: digest("c5"),
    isDoubtful: false,
    contextSha256: digestOf({}),
    said: { configRevision: 5, contextSha256: digestOf({}) },
    ...observed,
  };
  const said: Told = {
    assumed: 0,
    refused: undefined,
    context: { kind: "known", entries: new Map() },
    refusals: NO_REFUSALS,
    misses: 0,
    removals: [],
    raiseInMs: 0,
    round: NEW_ROUND,
    ...told,
  };
  return new View(desired, seen, said);
}

const secretsClosed: Desired = { config: { record: config(5).record, sha256: undefined }, contexts: [] };
const refusedBy = (bootId: string, outcome: "refused" | "applied" = "refused"): Desired => {
  const verdict = { outcome, reason: "no model", bootId, time: undefined };
  return { config: config(5, "c5", { verdict }), contexts: [] };
};

describe("a view before it is known what the guest is to have", () => {
  it("says so, and answers nothing else", () => {
    const { observed, told } = view({});
    const unknown = new View(undefined, observed, told);
    expect([unknown.isKnown, view({}).isKnown]).toEqual([false, true]);
    expect(() => unknown.isAhead).toThrow("what is to be there is not known");
  });
});

describe("a guest is ahead of the store", () => {
  it.each([
    ["with a higher revision", { revision: 6 }, true],
    ["with the same revision and another digest", { sha256: digest("other") }, true],
    ["not with what it is to have", {}, false],
    ["not with a lower revision, whatever its digest", { revision: 4, sha256: digest("other") }, false],
    ["not if it reports nothing", { reports: false, revision: 6 }, false],
  ])("%s", (_, observed, isAhead) => {
    expect(view({ observed }).isAhead).toBe(isAhead);
  });

  it("not with a digest that nothing can be held against, since the secrets could not be opened", () => {
    expect(view({ desired: secretsClosed, observed: { sha256: "x" } }).isAhead).toBe(false);
  });
});

describe("a configuration is still to be brought to the guest", () => {
  it.each<[string, Given, boolean]>([
    ["not if it is in force", {}, false],
    ["if the guest has a lower revision", { observed: { revision: 4 } }, true],
    ["if the guest has another digest of it", { observed: { sha256: "x" } }, true],
    ["if it is doubtful that the guest has it", { observed: { isDoubtful: true } }, true],
    ["if its digest is not known", { desired: secretsClosed }, true],
    [
      "not if a guest that reports nothing acknowledged it",
      { observed: { reports: false }, told: { assumed: 5 } },
      false,
    ],
    [
      "if a guest that reports nothing acknowledged another",
      { observed: { reports: false }, told: { assumed: 4 } },
      true,
    ],
    [
      "not if this boot refused it",
      { observed: { revision: 4 }, told: { refused: { revision: 5, bootId: "boot-1", reason: "no" } } },
      false,
    ],
  ])("%s", (_, given, isOpen) => {
    expect(view(given).isConfigOpen).toBe(isOpen);
  });
});

describe("a refusal of the desired configuration", () => {
  const refused = { revision: 5, bootId: "boot-1", reason: "no" };
  it.each<[string, Given, string | undefined]>([
    ["holds if this boot made it in this life of the program", { told: { refused } }, "no"],
    ["is void if it was of another revision", { told: { refused: { ...refused, revision: 4 } } }, undefined],
    ["is void if another boot made it", { told: { refused: { ...refused, bootId: "boot-0" } } }, undefined],
    ["holds if this boot made it before, as the store has it", { desired: refusedBy("boot-1") }, "no model"],
    ["in the store is void if another boot made it", { desired: refusedBy("boot-0") }, undefined],
    [
      "in the store is void for boots without a name",
      { desired: refusedBy(""), observed: { bootId: "" } },
      undefined,
    ],
    [
      "is not what the store has of a configuration that was applied",
      { desired: refusedBy("boot-1", "applied") },
      undefined,
    ],
  ])("%s", (_, given, reason) => {
    expect(view(given).refusal).toBe(reason);
  });
});

describe("the reason for another round", () => {
  const open = { observed: { revision: 4, said: { configRevision: 4 } } };
  it.each<[string, Given, string]>([
    [
      "is why the push of the configuration failed",
      { ...open, told: { round: { ...NEW_ROUND, configFailure: "cut" } } },
      "cut",
    ],
    [
      "is the revision that the guest reports, if nothing was said against it",
      open,
      "the agent reports revision 4",
    ],
    [
      "is revision 0 of a guest that reports none",
      { observed: { revision: 0, said: {} } },
      "the agent reports revision 0",
    ],
    [
      "is why the push of the context failed, once the configuration is in force",
      { told: { round: { ...NEW_ROUND, configFailure: "cut", contextFailure: "busy" } } },
      "busy",
    ],
    [
      "is that the context is another one, if no push of it failed",
      {},
      "the agent has another context than was pushed",
    ],
  ])("%s", (_, given, failure) => {
    expect(view(given).failure).toBe(failure);
  });
});

describe("the least pause before another round", () => {
  const unlike = (misses: number): Given => ({
    observed: { contextSha256: "other" },
    told: { misses, context: { kind: "rebuilding", entries: new Map(), dropped: true } },
  });

  it("doubles with each miss from 500 ms to a minute if the guest says that it has another context", () => {
    expect([0, 1, 6, 7, 20].map((misses) => view(unlike(misses)).failureMs)).toEqual([
      500, 1_000, 32_000, 60_000, 60_000,
    ]);
  });

  it("is none if the context is as it is to be, or is still to be pushed", () => {
    expect(view({ told: { misses: 3 } }).failureMs).toBe(0);
    expect(view({ desired: { config: config(5), contexts: [A] }, told: { misses: 3 } }).failureMs).toBe(0);
  });
});

describe("a context is stuck", () => {
  const desired = { config: config(5), contexts: [A] };
  const refusals = new Map([["a", { version: "1", reason: "too long" }]]);

  it("if nothing is left to push and the guest turned an entry down", () => {
    expect(view({ desired, told: { refusals } }).stuck).toBe('context entry "a": too long');
  });

  it("not if it is in place, nor while there is something to push", () => {
    expect(view({}).stuck).toBeUndefined();
    expect(view({ desired }).stuck).toBeUndefined();
  });
});
