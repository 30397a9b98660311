import { describe, expect, it } from "vitest";
import { config, digestOf, entry, Rig, said, took, tookEntry } from "./rig.ts";

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
});
