import { describe, expect, it } from "vitest";
import { config, digest, digestOf, entry, NO_ANSWER, REFUSED, Rig, said, took, tookEntry } from "./rig.ts";

const refused = { ...REFUSED, inForce: undefined, sha256: digest("c2") };
const notNow = { ...NO_ANSWER, reason: "not now" };
const noWord = { applied: false, refused: false, reason: "no answer", contextSha256: undefined };

/** The guest refuses since it has another revision in force. */
const elsewhere = (revision: number, content: string, pushed: string) => ({
  ...REFUSED,
  inForce: { revision, sha256: digest(content) },
  sha256: digest(pushed),
});

describe("a guest whose link comes up", () => {
  it("gets nothing if it has what the store holds, and the store is asked once", () => {
    const rig = new Rig();
    rig.connect(said(1));
    expect(rig.asked()).toEqual(["load"]);
    rig.loaded(config(1));
    expect(rig.asked()).toEqual(["record applied 1"]);
    expect(rig.kernel.state).toEqual({ kind: "applied" });
    expect(rig.kernel).toMatchObject({ observedRevision: 1, desiredRevision: 1, nextWake: undefined });
  });

  it("gets the configuration, then the context, and its first entry drops what is not to be there", () => {
    const rig = new Rig();
    rig.connect(said(0, "", { contextSha256: digestOf({ old: "x" }) }));
    rig.loaded(config(3), [entry("a", "A", "1"), entry("b", "B", "2")]);
    expect(rig.asked()).toEqual(["load", "push 3"]);
    expect(rig.kernel.state).toEqual({ kind: "pending", reason: "configuration is being pushed" });
    rig.kernel.configAnswered(took(3), rig.now);
    expect(rig.asked()).toEqual(["record applied 3", "context a=A only a,b"]);
    rig.kernel.contextAnswered(tookEntry({ a: "A" }), rig.now);
    rig.kernel.contextAnswered(tookEntry({ a: "A", b: "B" }), rig.now);
    expect(rig.asked()).toEqual(["context b=B"]);
    expect(rig.kernel.state).toEqual({ kind: "applied" });
  });

  it("is looked at anew though it was at rest on the link before", () => {
    const rig = Rig.atRest();
    rig.kernel.disconnected();
    expect(rig.kernel.state).toEqual({ kind: "pending", reason: "the agent is away" });
    rig.connect(said(1));
    expect(rig.asked()).toEqual(["load"]);
    rig.loaded(config(2));
    expect(rig.asked()).toEqual(["push 2"]);
  });
});

describe("a push whose link was lost", () => {
  it("concludes nothing: on the next link the configuration is looked at anew", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.loaded(config(2));
    expect(rig.asked()).toEqual(["load", "push 2"]);
    rig.kernel.disconnected();
    rig.connect(said(1), "boot-2");
    expect(rig.asked()).toEqual([]);
    rig.kernel.configAnswered(took(2), rig.now);
    // The guest's word counts for whoever waits, and for nothing else: this boot has revision 1.
    expect(rig.configVerdicts.get(1)).toMatchObject({ applied: true, revision: 2 });
    expect(rig.kernel.observedRevision).toBe(1);
    expect(rig.kernel.state.kind).toBe("pending");
    rig.loaded(config(2));
    expect(rig.asked()).toEqual(["record applied 2", "load", "push 2"]);
  });

  it("of a context entry is pushed again, whatever its answer was", () => {
    const rig = Rig.atRest();
    const one = entry("a", "A", "1");
    rig.kernel.contextStored(one, 1, rig.now);
    rig.loaded(config(1), [one]);
    expect(rig.asked()).toEqual(["load", "record applied 1", "context a=A"]);
    rig.kernel.disconnected();
    rig.connect(said(1));
    rig.kernel.contextAnswered(tookEntry({ a: "A" }), rig.now);
    expect(rig.contextVerdicts.size).toBe(0);
    rig.loaded(config(1), [one]);
    expect(rig.asked()).toEqual(["load", "context a=A only a"]);
  });
});

describe("a guest with a revision that the store does not know", () => {
  it("gets the configuration under a higher one, once the store was asked again", () => {
    const rig = new Rig();
    rig.connect(said(9, "alien"));
    rig.loaded(config(2));
    rig.loaded(config(2));
    expect(rig.asked()).toEqual(["load", "load", "raise above 9"]);
    rig.kernel.raised(config(10, "c2"), rig.now);
    expect(rig.asked()).toEqual(["push 10"]);
    rig.kernel.configAnswered(took(10, "c2"), rig.now);
    expect(rig.kernel.state).toEqual({ kind: "applied" });
  });

  it("gets it without a raise if another process has stored it meanwhile", () => {
    const rig = new Rig();
    rig.connect(said(9));
    rig.loaded(config(2));
    rig.loaded(config(9));
    expect(rig.asked()).toEqual(["load", "load", "record applied 9"]);
  });

  it("has the store written ever more seldom: after 1 s, 2 s, 4 s, and at most every 10 minutes", () => {
    const rig = new Rig();
    rig.connect(said(100, "alien"));
    const raisedAt: number[] = [];
    for (let steps = 0; raisedAt.length < 14 && steps < 2_000; steps++) {
      const asked = rig.asked().filter((one) => !one.startsWith("record"));
      const revision = 100 * (raisedAt.length + 1);
      if (asked.length === 0) rig.sleep();
      for (const one of asked) {
        if (one === "load") rig.loaded(config(revision - 99 + (raisedAt.length > 0 ? 0 : -1), "c2"));
        else if (one.startsWith("raise")) {
          raisedAt.push(rig.now);
          rig.kernel.raised(config(revision + 1, "c2"), rig.now);
        } else rig.kernel.configAnswered(elsewhere(revision, "alien", "c2"), rig.now);
      }
    }
    const gaps = raisedAt.slice(1).map((at, i) => Math.round((at - (raisedAt[i] ?? 0)) / 1_000));
    expect(gaps).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]);
  });

  it("is left alone if none is left above it, and whoever waits hears why", () => {
    const rig = new Rig();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.connect(said(9, "alien"));
    rig.loaded(config(2));
    rig.loaded(config(2));
    rig.kernel.raiseFailed(true, "too many", rig.now);
    const reason =
      "the agent reports revision 9, which is not of this store, and so high that none is left above it";
    expect(rig.kernel.state).toEqual({ kind: "pending", reason });
    expect(rig.configVerdicts.get(1)).toEqual({ applied: false, refused: false, reason, revision: 2 });
    expect(rig.kernel.nextWake).toBeUndefined();
  });

  it("names the new number to whoever waits, unless another configuration was stored meanwhile", () => {
    const outcomeOf = (content: string) => {
      const rig = new Rig();
      rig.kernel.configStored(config(2), 1, rig.now);
      rig.connect(said(9, "alien"));
      rig.loaded(config(2));
      rig.loaded(config(2));
      rig.kernel.raised(config(10, content), rig.now);
      rig.kernel.configAnswered(took(10, content), rig.now);
      return rig.configVerdicts.get(1);
    };
    expect(outcomeOf("c2")).toMatchObject({ applied: true, revision: 10 });
    expect(outcomeOf("another")).toMatchObject({ applied: false, reason: "superseded by revision 10" });
  });
});

describe("a heartbeat", () => {
  it("that contradicts the acknowledgement in the middle of a round has the configuration pushed again", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.loaded(config(2), [entry("a", "A", "1")]);
    rig.kernel.configAnswered(took(2), rig.now);
    expect(rig.asked()).toEqual(["load", "push 2", "record applied 2", "context a=A"]);
    rig.kernel.heartbeat(said(1), rig.now);
    rig.kernel.contextAnswered(tookEntry({ a: "A" }), rig.now);
    // Once a round, so that a guest that contradicts itself is not pushed to without a pause.
    expect(rig.kernel.state).toEqual({ kind: "pending", reason: "the agent reports revision 1" });
    expect(rig.asked()).toEqual([]);
    expect(rig.sleep()).toBeGreaterThan(0);
    expect(rig.asked()).toEqual(["push 2"]);
    expect(rig.kernel.observedRevision).toBe(2);
    rig.kernel.configAnswered(took(2), rig.now);
    expect(rig.kernel.state).toEqual({ kind: "applied" });
  });

  it("that names a higher revision in the middle of a round has it raised", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.loaded(config(2));
    rig.asked();
    rig.kernel.heartbeat(said(7, "alien"), rig.now);
    rig.kernel.configAnswered(NO_ANSWER, rig.now);
    rig.loaded(config(2));
    expect(rig.asked()).toEqual(["load", "raise above 7"]);
  });

  it("that comes while the store is asked ends the word that the configuration is applied", () => {
    const rig = Rig.atRest();
    rig.kernel.storeChanged(false, rig.now);
    expect(rig.kernel.state.kind).toBe("applied");
    rig.kernel.heartbeat(said(0, ""), rig.now);
    expect(rig.kernel.state.kind).toBe("pending");
  });

  it("that tells nothing new asks for nothing", () => {
    const rig = Rig.atRest();
    const { changes } = rig;
    for (let i = 0; i < 3; i++) rig.kernel.heartbeat(said(1), rig.now++);
    expect(rig.asked()).toEqual([]);
    expect(rig.changes).toBe(changes);
  });

  it("that comes too soon after another one is believed at once, and acted upon later and later", () => {
    const rig = Rig.atRest();
    const pauses: number[] = [];
    for (let n = 0; n < 6; n++) {
      rig.kernel.heartbeat(said(0, "", { contextSha256: digestOf({ [`k${n}`]: "x" }) }), rig.now);
      expect(rig.kernel.state.kind).toBe("pending");
      if (rig.kernel.nextWake !== undefined) pauses.push(rig.sleep());
      rig.loaded(config(1));
      rig.kernel.configAnswered(took(1), rig.now);
      rig.kernel.contextAnswered(tookEntry({}), rig.now);
      expect(rig.kernel.state.kind).toBe("applied");
    }
    expect(pauses).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
  });

  it("that another process's push explains asks the store before anything is pushed", () => {
    const rig = Rig.atRest();
    rig.kernel.heartbeat(said(2), rig.now);
    expect(rig.asked()).toEqual(["load"]);
    rig.loaded(config(2));
    expect(rig.asked()).toEqual(["record applied 2"]);
    expect(rig.kernel.state.kind).toBe("applied");
  });
});

describe("a guest that gives no word", () => {
  it("is tried again after pauses that grow to 5 s, and whoever waits hears of the first try", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.loaded(config(2));
    const pauses: number[] = [];
    for (let i = 0; i < 9; i++) {
      rig.kernel.configAnswered(NO_ANSWER, rig.now);
      pauses.push(rig.sleep());
    }
    expect(rig.configVerdicts.get(1)).toMatchObject({ applied: false, refused: false, reason: "no answer" });
    expect(pauses).toEqual([50, 100, 200, 400, 800, 1_600, 2_500, 2_500, 2_500]);
    expect(rig.asked()).toEqual(["load", ...Array.from({ length: 10 }, () => "push 2")]);
  });

  it("gets the configuration at once when its OpenClaw comes back, in the middle of a push or later", () => {
    const rig = new Rig(() => 0.999);
    rig.connect(said(0, "", { openclaw: "down" }));
    rig.loaded(config(1));
    rig.kernel.heartbeat(said(0, ""), rig.now);
    rig.kernel.configAnswered(notNow, rig.now);
    expect(rig.asked()).toEqual(["load", "push 1", "push 1"]);
    rig.kernel.heartbeat(said(0, "", { openclaw: "down" }), rig.now);
    rig.kernel.configAnswered(notNow, rig.now);
    rig.kernel.heartbeat(said(0, "", { openclaw: "down" }), rig.now);
    expect(rig.asked()).toEqual([]);
    rig.kernel.heartbeat(said(0, ""), rig.now);
    expect(rig.asked()).toEqual(["load"]);
  });

  it("on a context entry that is removed since is told to remove it", () => {
    const rig = Rig.atRest();
    const one = entry("a", "A", "1");
    rig.kernel.contextStored(one, 1, rig.now);
    rig.loaded(config(1), [one]);
    rig.kernel.contextAnswered(noWord, rig.now);
    rig.kernel.storeChanged(true, rig.now);
    rig.loaded(config(1));
    expect(rig.asked().at(-1)).toBe("context a=");
    rig.kernel.contextAnswered(tookEntry({}), rig.now);
    expect(rig.kernel.state).toEqual({ kind: "applied" });
  });
});

describe("a refusal", () => {
  it("holds for its boot: the revision is not pushed again, on this link nor on the next", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.loaded(config(2));
    rig.kernel.configAnswered(refused, rig.now);
    expect(rig.kernel.state).toEqual({ kind: "refused", reason: REFUSED.reason });
    expect(rig.configVerdicts.get(1)).toMatchObject({ refused: true });
    rig.asked();
    rig.kernel.disconnected();
    rig.connect(said(1));
    rig.loaded(config(2));
    expect(rig.asked()).toEqual(["load"]);
    expect(rig.kernel.state.kind).toBe("refused");
    rig.kernel.disconnected();
    rig.connect(said(1), "boot-2");
    rig.loaded(config(2));
    expect(rig.asked()).toEqual(["load", "push 2"]);
  });

  it("that another control plane heard is known from the store", () => {
    const rig = new Rig();
    rig.connect(said(1));
    const verdict = { outcome: "refused", reason: "no", bootId: "boot-1", time: undefined } as const;
    rig.loaded(config(2, "c2", { verdict }));
    expect(rig.asked()).toEqual(["load"]);
    expect(rig.kernel.state).toEqual({ kind: "refused", reason: "no" });
  });

  it("of a context entry keeps no other from being pushed, and ends when the entry changes", () => {
    const rig = Rig.atRest();
    const [bad, good] = [entry("a", "bad", "1"), entry("b", "good", "2")];
    rig.kernel.contextStored(bad, 1, rig.now);
    rig.loaded(config(1), [bad, good]);
    rig.kernel.contextAnswered({ ...REFUSED, contextSha256: digestOf({}) }, rig.now);
    rig.kernel.contextAnswered(tookEntry({ b: "good" }), rig.now);
    expect(rig.kernel.state).toEqual({
      kind: "pending",
      reason: 'context entry "a": the agent refused it: no',
    });
    expect(rig.contextVerdicts.get(1)).toMatchObject({ refused: true });
    rig.asked();
    rig.kernel.storeChanged(true, rig.now);
    rig.loaded(config(1), [bad, good]);
    expect(rig.asked()).toEqual(["load"]);
    rig.kernel.storeChanged(true, rig.now);
    rig.loaded(config(1), [entry("a", "better", "3"), good]);
    expect(rig.asked()).toEqual(["load", "context a=better"]);
  });
});

describe("whoever pushed a context entry that was overtaken", () => {
  /** Two pushes of one key, of which the guest sees the second; then its word on that. */
  const verdicts = (answer: ReturnType<typeof tookEntry>) => {
    const rig = Rig.atRest();
    const first = entry("a", "1", "v1");
    const second = entry("a", "2", "v2");
    rig.kernel.contextStored(first, 1, rig.now);
    rig.kernel.contextStored(second, 2, rig.now);
    rig.loaded(config(1), [second]);
    // The look began before the second push.
    rig.kernel.contextAnswered(answer, rig.now);
    rig.loaded(config(1), [second]);
    return [rig.contextVerdicts.get(1), rig.contextVerdicts.get(2)];
  };

  it("hears that it was", () => {
    expect(verdicts(tookEntry({ a: "2" }))).toMatchObject([
      { applied: false, refused: false, reason: "superseded by a later change of the same entry" },
      { applied: true },
    ]);
  });

  it("hears of it before the one who overtook it, though the look at the store began before both had come", () => {
    const rig = Rig.atRest();
    rig.kernel.storeChanged(true, rig.now);
    rig.kernel.contextStored(entry("a", "1", "v1"), 1, rig.now);
    rig.kernel.contextStored(entry("a", "2", "v2"), 2, rig.now);
    rig.loaded(config(1), [entry("a", "2", "v2")]);
    rig.kernel.contextAnswered({ ...REFUSED, contextSha256: digestOf({}) }, rig.now);
    expect([...rig.contextVerdicts]).toMatchObject([
      [1, { refused: false, reason: expect.stringContaining("which the agent refused") }],
      [2, { refused: true }],
    ]);
  });

  it("hears that the later one was refused as well, since neither is kept", () => {
    expect(verdicts({ ...REFUSED, contextSha256: digestOf({}) })).toMatchObject([
      {
        applied: false,
        refused: false,
        reason: "superseded by a later change of the same entry, which the agent refused: neither is kept",
      },
      { refused: true },
    ]);
  });
});

describe("a guest that reports nothing", () => {
  const heartbeat = { openclaw: "ready" };

  it("gets everything on every link, and what it took is assumed to be in force", () => {
    const rig = new Rig();
    const one = entry("a", "A", "1");
    for (const link of [1, 2]) {
      rig.connect(heartbeat, "", false);
      rig.loaded(config(3), [one]);
      rig.kernel.configAnswered({ ...took(3), inForce: undefined }, rig.now);
      rig.kernel.contextAnswered({ ...tookEntry({}), contextSha256: undefined }, rig.now);
      expect(rig.asked().filter((what) => !what.startsWith("record"))).toEqual([
        "load",
        "push 3",
        "context a=A",
      ]);
      expect({ ...rig.kernel.state, link }).toEqual({ kind: "assumed", link });
      expect(rig.kernel.observedRevision).toBe(3);
      rig.kernel.disconnected();
    }
  });

  it("that refuses is not pushed to again on this link, and is on the next", () => {
    const rig = new Rig();
    rig.connect(heartbeat, "", false);
    rig.loaded(config(2));
    rig.kernel.configAnswered(refused, rig.now);
    expect(rig.kernel.state.kind).toBe("refused");
    rig.kernel.storeChanged(true, rig.now);
    rig.loaded(config(2));
    expect(rig.kernel.state.kind).toBe("refused");
    rig.kernel.disconnected();
    rig.asked();
    rig.connect(heartbeat, "", false);
    rig.loaded(config(2));
    expect(rig.asked()).toEqual(["load", "push 2"]);
  });
});

describe("an agent that was deleted and created again", () => {
  it("is looked up anew, and what was refused or assumed before is forgotten", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.loaded(config(2));
    rig.kernel.configAnswered(refused, rig.now);
    rig.asked();
    rig.kernel.agentRecreated(rig.now);
    expect(rig.asked()).toEqual(["load"]);
    expect(rig.kernel.desiredRevision).toBe(0);
    rig.loaded(config(2, "another life"));
    expect(rig.asked()).toEqual(["push 2"]);
  });

  it("tells those who wait, and takes no answer of the agent before for its own", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.loaded(config(2));
    rig.kernel.agentRecreated(rig.now);
    expect(rig.configVerdicts.get(1)).toMatchObject({
      applied: false,
      reason: "the agent was deleted, and created again",
    });
    rig.kernel.configStored(config(2, "another life"), 2, rig.now);
    rig.asked();
    rig.kernel.configAnswered(took(2), rig.now);
    expect(rig.configVerdicts.has(2)).toBe(false);
    expect(rig.asked()).toEqual(["load"]);
    rig.loaded(config(2, "another life"));
    rig.loaded(config(2, "another life"));
    // The guest has the other life's revision 2 in force.
    expect(rig.asked()).toEqual(["load", "raise above 2"]);
  });

  it("is looked up though a look for the agent before was under way", () => {
    const rig = Rig.atRest();
    rig.kernel.storeChanged(true, rig.now);
    rig.kernel.agentRecreated(rig.now);
    rig.asked();
    rig.loaded(config(1));
    expect(rig.asked()).toEqual(["load"]);
  });
});

describe("a configuration whose secrets can't be opened", () => {
  it("is tried again until they can, says why, and is known by its digest then", () => {
    const rig = new Rig();
    const locked = { ...config(1), sha256: undefined };
    rig.connect(said(0, ""));
    rig.loaded(locked);
    rig.kernel.configAnswered({ ...NO_ANSWER, reason: "there is no key", sha256: undefined }, rig.now);
    expect(rig.kernel.state).toEqual({ kind: "pending", reason: "there is no key" });
    rig.sleep();
    expect(rig.kernel.state).toEqual({ kind: "pending", reason: "there is no key" });
    rig.kernel.configAnswered(took(1), rig.now);
    expect(rig.kernel.state).toEqual({ kind: "applied" });
  });
});

describe("a kernel that is closed", () => {
  it("tells everybody, those who come later as well, and asks for nothing more", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.kernel.close();
    rig.loaded(config(2));
    rig.kernel.configStored(config(3), 2, rig.now);
    rig.kernel.contextStored(entry("a", "A", "1"), 3, rig.now);
    const verdict = { applied: false, refused: false, reason: "the agent was removed" };
    expect([...rig.configVerdicts.values(), ...rig.contextVerdicts.values()]).toEqual([
      { ...verdict, revision: 2 },
      { ...verdict, revision: 3 },
      verdict,
    ]);
    rig.connect(said(1));
    expect(rig.asked()).toEqual(["load"]);
  });
});
