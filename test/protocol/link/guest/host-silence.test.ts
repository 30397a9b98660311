import { describe, expect, it } from "vitest";
import { HostSilence } from "../../../../protocol/link/guest/host-silence.ts";

describe("the silence of a host", () => {
  it("calls for one question after half of the bound, and for the end of the link after all of it", () => {
    const silence = new HostSilence(60, 1_000);
    expect([silence.dueAt, silence.due(1_029)]).toEqual([1_030, undefined]);
    expect(silence.due(1_030)).toBe("ask");
    expect([silence.dueAt, silence.due(1_031), silence.due(1_059)]).toEqual([1_060, undefined, undefined]);
    expect(silence.due(1_060)).toBe("lost");
  });

  it("begins anew with every byte, and is asked about once more then", () => {
    const silence = new HostSilence(60, 1_000);
    silence.due(1_030);
    silence.heard(1_050);
    expect([silence.dueAt, silence.due(1_079), silence.due(1_080)]).toEqual([1_080, undefined, "ask"]);
  });

  it("is not shortened by what is known already", () => {
    const silence = new HostSilence(60, 1_000);
    silence.due(1_030);
    silence.heard(1_000);
    silence.heard(900);
    expect([silence.dueAt, silence.due(1_060)]).toEqual([1_060, "lost"]);
  });
});
