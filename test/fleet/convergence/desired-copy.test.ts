import { beforeEach, describe, expect, it } from "vitest";
import { DesiredCopy } from "../../../src/fleet/convergence/desired-copy.ts";
import type { ContextEntry, DesiredConfig } from "../../../src/fleet/convergence/facts.ts";

const config = (revision: number) => ({ record: { revision }, sha256: `${revision}` }) as DesiredConfig;
const contexts = [{ key: "k", version: "1", payload: {} }] as unknown as readonly ContextEntry[];

let copy: DesiredCopy;

beforeEach(() => {
  copy = new DesiredCopy();
});

/** The store is asked, and answers. */
function load(revision: number) {
  copy.asking();
  return copy.loaded({ config: config(revision), contexts });
}

describe("the copy of what an agent is to have", () => {
  it("is none before the store was asked", () => {
    expect([copy.current, copy.config, copy.revision]).toEqual([undefined, undefined, 0]);
    copy.asking();
    expect(copy.current).toBeUndefined();
  });

  it("is what the store answers", () => {
    expect(load(3)).toEqual({ config: config(3), contexts });
    expect([copy.current, copy.revision]).toEqual([{ config: config(3), contexts }, 3]);
  });

  it("is stale if something changes while the store is asked, or after", () => {
    copy.asking();
    copy.stale();
    copy.loaded({ config: config(3), contexts });
    expect([copy.current, copy.config]).toEqual([undefined, config(3)]);
    load(3);
    copy.stale();
    expect(copy.current).toBeUndefined();
  });

  it("keeps a configuration that was stored after the store was read", () => {
    copy.asking();
    copy.stored(config(5));
    expect(copy.loaded({ config: config(4), contexts }).config).toEqual(config(5));
    expect(copy.revision).toBe(5);
  });

  it("takes a lower revision of a store that was put back, if no copy is held", () => {
    load(5);
    copy.drop();
    expect(copy.revision).toBe(5);
    load(4);
    expect([copy.config, copy.revision]).toEqual([config(4), 4]);
  });

  it("takes what was stored, and the same again, but nothing older", () => {
    load(3);
    expect(copy.stored(config(4))).toEqual(config(4));
    expect(copy.stored(config(2))).toEqual(config(4));
    const again = config(4);
    expect(copy.stored(again)).toBe(again);
    expect([copy.revision, copy.current?.config]).toEqual([4, again]);
  });

  it("is dropped by an agent at rest, which still knows its revision", () => {
    load(3);
    copy.drop();
    expect([copy.current, copy.config, copy.revision]).toEqual([undefined, undefined, 3]);
    copy.stored(config(2));
    expect(copy.revision).toBe(3);
  });

  it("is forgotten with its revision if the agent is recreated under the same id", () => {
    load(3);
    copy.forget();
    expect([copy.current, copy.config, copy.revision]).toEqual([undefined, undefined, 0]);
  });
});
