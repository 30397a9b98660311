import { beforeEach, describe, expect, it } from "vitest";
import type { ConfigAnswer } from "../../../src/fleet/convergence/facts.ts";
import { Knowledge } from "../../../src/fleet/convergence/knowledge.ts";
import { UNKNOWN_CONTEXT } from "../../../src/fleet/convergence/told.ts";
import { config, digest, digestOf, entry, NO_ANSWER, REFUSED, Rig, said, took, tookEntry } from "./rig.ts";

const A = entry("a", "kind", "1");
const NOW = 5;
const link = { bootId: "boot-1", reports: true };
const silent = { bootId: "boot-1", reports: false };

let out: Rig;
let known: Knowledge;

beforeEach(() => {
  out = new Rig();
  known = new Knowledge(out);
  known.connected({ ...link, heartbeat: said(1) });
  known.waiters.addConfig(1, 2);
});

const answered = (answer: ConfigAnswer, over = link, isLost = false) =>
  known.configAnswered(config(2), over, answer, isLost, NOW);

/** What the one who waits for revision 2 heard; undefined: nothing yet. */
const heard = () => out.configVerdicts.get(1);

describe("a guest's answer that a configuration is applied", () => {
  it("puts it in force, tells who waits, and is written down", () => {
    known.told.refused = { revision: 1, bootId: "boot-1", reason: "no" };
    known.observed.isDoubtful = true;
    expect(answered(took(2))).toBe("");
    expect(known.observed).toMatchObject({ revision: 2, sha256: digest("c2"), isDoubtful: false });
    expect(known.told).toMatchObject({ refused: undefined, assumed: 0 });
    expect(heard()).toMatchObject({ applied: true, revision: 2 });
    expect(out.records).toEqual([{ revision: 2, outcome: "applied", reason: "", bootId: "boot-1" }]);
  });

  it("over a link that is gone tells who waits, and says nothing of what is in force", () => {
    expect(answered(took(2), link, true)).toBe("");
    expect(known.observed).toMatchObject({ revision: 1 });
    expect(heard()).toMatchObject({ applied: true });
    expect(out.records).toHaveLength(1);
  });

  it.each([
    ["another revision", took(3), "the agent acknowledged revision 3, not 2"],
    ["another digest", took(2, "other"), "the agent acknowledged revision 2, not 2"],
    ["none", { ...took(2), inForce: undefined }, "the agent acknowledged revision 0, not 2"],
  ])("is not believed if it names %s", (_, answer, reason) => {
    const pushed = { ...answer, sha256: digest("c2") };
    expect(answered(pushed)).toBe(reason);
    expect(known.observed).toMatchObject({ revision: 1 });
    expect(heard()).toMatchObject({ applied: false, refused: false, reason });
    expect(out.records).toEqual([]);
  });

  it("is assumed to be true of a guest that reports nothing, while its link lasts", () => {
    known.connected({ ...silent, heartbeat: {} });
    expect(answered({ ...took(2), inForce: undefined }, silent)).toBe("");
    expect(known.told.assumed).toBe(2);
    expect(known.observed).toMatchObject({ revision: 2, sha256: "" });
  });

  it("is not written down again if the store has that verdict of this boot", () => {
    const verdict = { outcome: "applied", reason: "", bootId: "boot-1", time: undefined } as const;
    known.configAnswered(config(2, "c2", { verdict }), link, took(2), false, NOW);
    expect([out.records, heard()?.applied]).toEqual([[], true]);
  });
});

describe("a guest's answer that a configuration is refused", () => {
  const refusal = { ...NO_ANSWER, ...REFUSED, sha256: digest("c2") };

  it("is remembered for this boot, told to who waits, and written down with its reason", () => {
    expect(answered({ ...refusal, inForce: { revision: 1, sha256: digest("c1") } })).toBe("");
    const { reason } = REFUSED;
    expect(known.told.refused).toEqual({ revision: 2, bootId: "boot-1", reason });
    expect(heard()).toEqual({ ...REFUSED, revision: 2 });
    expect(out.records).toEqual([{ revision: 2, outcome: "refused", reason, bootId: "boot-1" }]);
  });

  it("is a verdict as well if the guest has just this in force", () => {
    expect(answered({ ...refusal, inForce: { revision: 2, sha256: digest("c2") } })).toBe("");
    expect(heard()).toMatchObject({ refused: true });
  });

  it.each([
    ["a higher revision", { revision: 3, sha256: digest("c3") }],
    ["the same revision with another digest", { revision: 2, sha256: digest("other") }],
  ])("since it has %s is no verdict: who waits goes on waiting", (_, inForce) => {
    expect(answered({ ...refusal, inForce })).toBe(REFUSED.reason);
    expect([heard(), out.records, known.told.refused]).toEqual([undefined, [], undefined]);
    expect(known.observed).toMatchObject(inForce);
  });

  it("over a link that is gone is remembered only for a boot that has a name", () => {
    answered(refusal, link, true);
    expect(known.told.refused?.revision).toBe(2);
    known.told.refused = undefined;
    answered(refusal, { bootId: "", reports: true }, true);
    expect(known.told.refused).toBeUndefined();
    answered(refusal, { bootId: "", reports: true }, false);
    expect(known.told.refused).toMatchObject({ bootId: "" });
  });
});

it("a push of a configuration without an answer is told to who waits with its reason, and not written down", () => {
  expect(answered(NO_ANSWER)).toBe("no answer");
  expect(heard()).toEqual({ applied: false, refused: false, reason: "no answer", revision: 2 });
  expect([out.records, known.told.refused]).toEqual([[], undefined]);
});

describe("the answer to a push of a context entry", () => {
  beforeEach(() => {
    known.told.context = { kind: "known", entries: new Map() };
    known.waiters.addContext(7, A);
  });

  it("that it is applied is known from then on, with the digest that the guest tells", () => {
    expect(known.contextAnswered(A, tookEntry({ a: "kind" }))).toBe("");
    expect(known.told.context).toEqual({ kind: "known", entries: new Map([["a", A]]) });
    expect(known.observed.contextSha256).toBe(digestOf({ a: "kind" }));
    expect(out.contextVerdicts.get(7)).toEqual({ applied: true, refused: false, reason: "" });
  });

  it("that it is refused is remembered for its version, and told to who waits", () => {
    expect(known.contextAnswered(A, { ...REFUSED, contextSha256: undefined })).toBe("");
    expect([...known.told.refusals]).toEqual([["a", { version: "1", reason: REFUSED.reason }]]);
    expect(known.told.context).toEqual({ kind: "known", entries: new Map() });
    expect(out.contextVerdicts.get(7)).toEqual(REFUSED);
  });

  it("that never came leaves the entry in doubt, and who waits waiting", () => {
    const none = { applied: false, refused: false, reason: "no answer", contextSha256: undefined };
    expect(known.contextAnswered(A, none)).toBe("no answer");
    expect(known.told.context).toMatchObject({ kind: "known" });
    expect(known.told.context).not.toEqual({ kind: "known", entries: new Map([["a", A]]) });
    expect([out.contextVerdicts.size, known.told.refusals.size]).toEqual([0, 0]);
  });
});

describe("a heartbeat of a guest", () => {
  const news = (heartbeat: ReturnType<typeof said>, bootId = "boot-1") => {
    known.observed.said = heartbeat;
    return known.newsOfHeartbeat(bootId);
  };

  it("is no news if it tells what is known", () => {
    expect(news(said(1))).toBeUndefined();
  });

  it("is news with another revision, which is named; 0 if it has none", () => {
    expect(news(said(2))).toBe("the agent reports revision 2");
    expect(news({ contextSha256: digestOf({}) }, "boot-2")).toBe("the agent reports revision 0");
  });

  it("is news with another context, once, unless that is what the guest was given", () => {
    const other = said(1, "c1", { contextSha256: digestOf({ a: "kind" }) });
    expect(news(other)).toBe("the agent reports another context");
    expect(known.observed.contextSha256).toBe(digestOf({ a: "kind" }));
    expect(news(other)).toBeUndefined();
    known.told.context = { kind: "known", entries: new Map([["a", A]]) };
    known.observed.contextSha256 = digestOf({});
    expect(news(other)).toBeUndefined();
    expect(news(said(1))).toBe("the agent reports another context");
  });

  it("without a digest of the context says nothing of the context", () => {
    expect(news(said(1, "c1", { contextSha256: undefined }))).toBeUndefined();
    expect(known.observed.contextSha256).toBe(digestOf({}));
  });
});

describe("a configuration that the store gave another number", () => {
  it("is waited for under that number", () => {
    known.desired.stored(config(2));
    expect(known.raised(config(9, "c2")).record.revision).toBe(9);
    known.judge(config(9, "c2"), { outcome: "applied", reason: "", bootId: "boot-1" }, NOW);
    expect(heard()).toMatchObject({ applied: true, revision: 9 });
  });

  it.each([
    ["has other content", config(9, "other")],
    ["has no higher number", config(2, "c2")],
  ])("is not the one that is waited for if it %s", (_, stored) => {
    known.desired.stored(config(2));
    known.raised(stored);
    known.judge(config(9, "x"), { outcome: "applied", reason: "", bootId: "boot-1" }, NOW);
    expect(heard()).toMatchObject({ applied: false, reason: "superseded by revision 9", revision: 2 });
  });

  it("is the current one if none was known", () => {
    expect(known.raised(config(9)).record.revision).toBe(9);
    expect(known.desired.config?.record.revision).toBe(9);
  });
});

describe("the digest of a configuration whose secrets could not be opened", () => {
  const closed = { record: config(2).record, sha256: undefined };

  it("is known once it was pushed", () => {
    expect(known.opened(closed, digest("c2"))).toEqual({ record: closed.record, sha256: digest("c2") });
    expect(known.desired.config?.sha256).toBe(digest("c2"));
  });

  it("stays unknown if it was not, and never changes once it is known", () => {
    expect(known.opened(closed, undefined)).toBe(closed);
    const open = config(2);
    expect(known.opened(open, "another")).toBe(open);
    expect(known.desired.config).toBeUndefined();
  });
});

describe("what is carried out without the driver", () => {
  const wanted = { config: config(2), contexts: [A] };

  it("is a verdict that the guest's report gives, which is written down as this boot's", () => {
    known.note({ kind: "judge", outcome: "refused", reason: "no" }, wanted, link, NOW);
    expect(heard()).toEqual({ applied: false, refused: true, reason: "no", revision: 2 });
    expect(out.records).toEqual([{ revision: 2, outcome: "refused", reason: "no", bootId: "boot-1" }]);
  });

  it("is to give up, which is told to who waits and is no verdict", () => {
    known.note({ kind: "giveUp", reason: "no number is left" }, wanted, link, NOW);
    expect(heard()).toMatchObject({ applied: false, refused: false, reason: "no number is left" });
    expect(out.records).toEqual([]);
  });

  it("is that the context is in place, which ends the misses and is told to who waits", () => {
    known.waiters.addContext(7, A);
    known.told.misses = 3;
    const entries = new Map([["a", A]]);
    known.note({ kind: "contextInPlace", entries }, wanted, link, NOW);
    expect(known.told).toMatchObject({ context: { kind: "known", entries }, misses: 0 });
    expect(out.contextVerdicts.get(7)?.applied).toBe(true);
  });

  it("is that the context is another one, which is a miss: nothing is known of it then", () => {
    known.told.context = { kind: "known", entries: new Map() };
    known.note({ kind: "contextUnlike" }, wanted, link, NOW);
    expect(known.told).toMatchObject({ context: UNKNOWN_CONTEXT, misses: 1 });
  });
});

describe("an agent that is created again under the same id", () => {
  it("has nothing of the one before: who waits is told so, and a verdict of the same kind is written again", () => {
    answered(took(2));
    known.waiters.addConfig(3, 4);
    known.desired.loaded({ config: config(2), contexts: [A] });
    known.told.assumed = 2;
    known.verdicts.recorded(NOW);
    known.forget();
    expect(out.configVerdicts.get(3)?.reason).toBe("the agent was deleted, and created again");
    expect([known.desired.revision, known.desired.current, known.told.assumed]).toEqual([0, undefined, 0]);
    answered(took(2));
    expect(out.records).toHaveLength(2);
  });
});

it("a new link has the store looked at again", () => {
  known.desired.asking();
  known.desired.loaded({ config: config(2), contexts: [] });
  expect(known.desired.current).toBeDefined();
  known.told.misses = 2;
  known.connected({ bootId: "boot-2", reports: true, heartbeat: said(3) });
  expect(known.desired.current).toBeUndefined();
  expect([known.observed.revision, known.told.misses]).toEqual([3, 0]);
});
