import { describe, expect, it } from "vitest";
import { config, digestOf, entry, REFUSED, Rig, said, took, tookEntry } from "./rig.ts";

describe("a store that other processes write as well", () => {
  it("is believed if its revision is lower than one before: the agent was created again, or a backup restored", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(4), 1, rig.now);
    rig.loaded(config(4));
    rig.kernel.configAnswered(took(4), rig.now);
    rig.kernel.storeChanged(false, rig.now);
    rig.loaded(config(3));
    expect(rig.kernel.desiredRevision).toBe(3);
  });

  it("is looked at again a minute after the guest turned an entry down: whoever pushed it takes it back", () => {
    const rig = new Rig();
    rig.connect(said(1));
    rig.loaded(config(1), [entry("a", "too long", "1")]);
    rig.kernel.contextAnswered({ ...REFUSED, contextSha256: digestOf({}) }, rig.now);
    // What it is to drop it is told by an update of its own.
    rig.kernel.contextAnswered(tookEntry({}), rig.now);
    rig.kernel.recorded(rig.now);
    rig.asked();
    expect(rig.kernel.state.kind).toBe("pending");
    expect(rig.sleep()).toBe(60_000);
    expect(rig.asked()).toEqual(["load"]);
    rig.loaded(config(1), []);
    expect(rig.kernel.state).toEqual({ kind: "applied" });
  });
});

describe("an agent that is created again while a push to it is under way", () => {
  it("has in force what its guest answers, though that is no verdict on anything of its own", () => {
    const rig = Rig.atRest();
    rig.kernel.configStored(config(2), 1, rig.now);
    rig.loaded(config(2));
    rig.kernel.agentRecreated(rig.now);
    rig.asked();
    rig.kernel.configAnswered(took(2), rig.now);
    expect(rig.kernel.observedRevision).toBe(2);
    // Revision 1 is in the store again, and was in force before.
    rig.loaded(config(1));
    expect(rig.kernel.state.kind).not.toBe("applied");
  });
});
