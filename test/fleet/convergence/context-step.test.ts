import { describe, expect, it } from "vitest";
import {
  contextStep,
  isAsTold,
  whyStuck,
  withDoubt,
  withEntry,
} from "../../../src/fleet/convergence/context-step.ts";
import type { ContextEntry } from "../../../src/fleet/convergence/facts.ts";
import {
  type HeldContext,
  NEW_ROUND,
  type Observed,
  type Told,
} from "../../../src/fleet/convergence/told.ts";
import { digestOf, entry } from "./rig.ts";

const A = entry("a", "kind", "1");
const B = entry("b", "brief", "1");
const removal = (key: string): ContextEntry => ({ key, payload: { context: "" }, version: "" });
const byKey = (...entries: ContextEntry[]) => new Map(entries.map((one) => [one.key, one]));
const known = (...entries: ContextEntry[]): HeldContext => ({ kind: "known", entries: byKey(...entries) });
const rebuilding = (dropped: boolean, ...entries: ContextEntry[]): HeldContext => ({
  kind: "rebuilding",
  entries: byKey(...entries),
  dropped,
});
const refusing = (...entries: ContextEntry[]) =>
  new Map(entries.map(({ key, version }) => [key, { version, reason: "too long" }]));

/** A guest that tells the digest of these texts; undefined: it tells none. */
function guest(texts: Readonly<Record<string, string>> | undefined): Observed {
  const contextSha256 = texts && digestOf(texts);
  const said = { contextSha256 };
  return { bootId: "b", reports: true, revision: 1, sha256: "", isDoubtful: false, contextSha256, said };
}

function told(context: HeldContext, more: Partial<Told> = {}): Told {
  return {
    assumed: 0,
    refused: undefined,
    context,
    refusals: new Map(),
    misses: 0,
    removals: [],
    raiseInMs: 0,
    round: NEW_ROUND,
    ...more,
  };
}

/** The step in short: what is pushed, or that nothing is. */
function step(contexts: readonly ContextEntry[], observed: Observed, said: Told): unknown {
  const next = contextStep(contexts, observed, said);
  return next.kind === "push" ? [next.push.entry, next.push.keys] : next.kind;
}

describe("the context of a guest that is known", () => {
  it("is in place if it has every entry in its version", () => {
    expect(step([A, B], guest({ a: "kind", b: "brief" }), told(known(A, B)))).toBe("inPlace");
  });

  it("gets what it lacks, and what it has in another version", () => {
    expect(step([A, B], guest({ a: "kind" }), told(known(A)))).toEqual([B, undefined]);
    expect(step([A], guest({ a: "old" }), told(known(entry("a", "old", "0"))))).toEqual([A, undefined]);
  });

  it("loses what is not to be there before it gets what it lacks", () => {
    expect(step([B], guest({ a: "kind" }), told(known(A)))).toEqual([removal("a"), undefined]);
  });

  it("is not given again what this boot turned down, nor told again to let go what it keeps", () => {
    expect(step([A], guest({}), told(known(), { refusals: refusing(A) }))).toBe("inPlace");
    expect(step([], guest({ a: "kind" }), told(known(A), { refusals: refusing(removal("a")) }))).toBe(
      "inPlace",
    );
    expect(step([A], guest({}), told(known(), { refusals: refusing(entry("a", "old", "0")) }))).toEqual([
      A,
      undefined,
    ]);
  });

  it("is told of a removal that somebody waits for, unless the entry is to be there again or it was turned down", () => {
    const gone = entry("c", "", "2");
    expect(step([A], guest({ a: "kind" }), told(known(A), { removals: [gone] }))).toEqual([gone, undefined]);
    expect(step([A], guest({ a: "kind" }), told(known(A), { removals: [entry("a", "", "2")] }))).toBe(
      "inPlace",
    );
    expect(
      step([A], guest({ a: "kind" }), told(known(A), { removals: [gone], refusals: refusing(gone) })),
    ).toBe("inPlace");
  });

  it("is built anew if the guest says that it has another one", () => {
    expect(step([A, B], guest({ x: "?" }), told(known(A, B)))).toEqual([A, ["a", "b"]]);
  });
});

describe("the context of a guest of which nothing is known", () => {
  const unknown: HeldContext = { kind: "unknown" };

  it("is in place if its digest is that of all that it is to have", () => {
    expect(step([A], guest({ a: "kind" }), told(unknown))).toBe("inPlace");
    expect(step([], guest({}), told(unknown))).toBe("inPlace");
  });

  it("is in place without the entries that it turned down", () => {
    expect(step([A, B], guest({ a: "kind" }), told(unknown, { refusals: refusing(B) }))).toBe("inPlace");
  });

  it("is built anew if its digest is another one, and the first entry drops all that is not named", () => {
    expect(step([A, B], guest({}), told(unknown))).toEqual([A, ["a", "b"]]);
    expect(step([A, B], guest({}), told(unknown, { refusals: refusing(A) }))).toEqual([B, ["b"]]);
    expect(step([], guest({ x: "?" }), told(unknown))).toEqual([removal(""), []]);
  });

  it("is built anew without dropping anything if the guest tells no digest, which cannot be asked to", () => {
    expect(step([A], guest(undefined), told(unknown))).toEqual([A, undefined]);
    expect(step([], guest(undefined), told(unknown))).toBe("inPlace");
  });
});

describe("a context that is built anew", () => {
  it("gets the rest one by one, and drops nothing a second time", () => {
    expect(step([A, B], guest({ a: "kind" }), told(rebuilding(true, A)))).toEqual([B, undefined]);
  });

  it("is in place with its last entry, and unlike if the guest says that it has something else", () => {
    expect(step([A], guest({ a: "kind" }), told(rebuilding(true, A)))).toBe("inPlace");
    expect(step([A], guest({ x: "?" }), told(rebuilding(true, A)))).toBe("unlike");
  });

  it("is unlike if the guest refuses to drop what it has", () => {
    const said = told(rebuilding(false), { refusals: refusing(removal("")) });
    expect(step([], guest({ x: "?" }), said)).toBe("unlike");
  });

  it("follows what has changed since its first entry was pushed", () => {
    expect(step([B], guest({ a: "kind", b: "brief" }), told(rebuilding(true, A, B)))).toEqual([
      removal("a"),
      undefined,
    ]);
  });

  it("of a guest without a digest is told of removals that somebody waits for", () => {
    const gone = entry("c", "", "2");
    expect(step([A], guest(undefined), told(rebuilding(true, A), { removals: [gone] }))).toEqual([
      gone,
      undefined,
    ]);
    expect(step([A], guest({ a: "kind" }), told(rebuilding(true, A), { removals: [gone] }))).toBe("inPlace");
  });
});

describe("what a guest has after a push", () => {
  it("that it took is the entry as well, or the rest if it was a removal", () => {
    expect(withEntry(known(A), B)).toEqual(known(A, B));
    expect(withEntry(known(A, B), entry("a", "", "2"))).toEqual(known(B));
    expect(withEntry(rebuilding(false), A)).toEqual(rebuilding(true, A));
    expect(withEntry({ kind: "unknown" }, A)).toEqual({ kind: "unknown" });
  });

  it("without an answer is in doubt for this entry alone, unless other entries may have been dropped", () => {
    expect(withDoubt(known(A, B), "b")).toEqual(known(A, removal("b")));
    expect(withDoubt(rebuilding(true, A), "b")).toEqual(known(A, removal("b")));
    expect(withDoubt(rebuilding(false), "b")).toEqual({ kind: "unknown" });
    expect(withDoubt({ kind: "unknown" }, "b")).toEqual({ kind: "unknown" });
  });

  it("is believed if the guest tells no digest, or the digest of just that", () => {
    expect([guest(undefined), guest({ a: "kind" }), guest({})].map((one) => isAsTold(byKey(A), one))).toEqual(
      [true, true, false],
    );
  });
});

describe("the reason why a context is stuck", () => {
  it("names the entry that was turned down, and says why", () => {
    expect(whyStuck([A, B], byKey(A), told(known(A), { refusals: refusing(B) }))).toBe(
      'context entry "b": too long',
    );
    const whole = entry("", "x", "1");
    expect(whyStuck([whole], byKey(), told(known(), { refusals: refusing(whole) }))).toBe(
      "the default context entry: too long",
    );
  });

  it("names the entry that the guest does not let go", () => {
    expect(whyStuck([A], byKey(A, B), told(known(A, B)))).toBe(
      'context entry "b": the agent does not let it go',
    );
  });

  it("is none if every entry is there and nothing else", () => {
    expect(whyStuck([A], byKey(A), told(known(A)))).toBeUndefined();
  });
});
