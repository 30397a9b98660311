import { describe, expect, it } from "vitest";
import { digestOfHash, digestOfName } from "../../../agent/runs/ledger-entries.ts";
import { parseLines, toText } from "../../../agent/runs/ledger-lines.ts";

const lines = [
  { takenAt: 0, name: "a", digest: "b" },
  { takenAt: 12.5, name: "c", digest: "d" },
];

describe("the file of a ledger", () => {
  it("is read as it was written", () => {
    expect([...parseLines(toText(lines))]).toEqual(lines);
    expect([...parseLines("")]).toEqual([]);
  });

  it("may end in half a line, as after a crash: the lines before it count", () => {
    const text = toText(lines);
    expect([...parseLines(text.slice(0, -5))]).toEqual([lines[0], undefined]);
    expect([...parseLines(text.slice(0, -1))]).toEqual(lines);
  });

  it.each(["x", "7", "null", "[]", "{}", '{"at":1,"k":"a"}', '{"at":1,"h":"a"}'])(
    "has no line in %s",
    (text) => {
      expect([...parseLines(`${text}\n${toText(lines)}`)]).toEqual([undefined, ...lines]);
    },
  );

  it.each(["-1", '"1"', "null", "9007199254740993"])("has no line with the time %s", (at) => {
    expect([...parseLines(`{"at":${at},"k":"a","h":"b"}\n`)]).toEqual([undefined]);
  });

  it("of version 0.1 is read too: its requests count as taken now", () => {
    expect([...parseLines('{"requestId":"r","hash":"h"}\n{"requestId":"r"}\n{"hash":"h"}')]).toEqual([
      { takenAt: 0, name: digestOfName("r"), digest: digestOfHash("h") },
      undefined,
      undefined,
    ]);
  });
});
