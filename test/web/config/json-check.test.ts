import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkJson } from "../../../web/src/config/json-check.ts";

function parses(text: string): boolean {
  const isKept = (_key: string, value: unknown) => {
    if (typeof value === "number" && !Number.isFinite(value)) throw new Error("not kept");
    if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw new Error("not kept");
    return value;
  };
  try {
    JSON.parse(text, isKept);
    return true;
  } catch {
    return false;
  }
}

describe("a JSON text that is checked", () => {
  it("is read if it is an object", () => {
    expect(checkJson(`{"a": [1, {"b": null}]}`)).toEqual({ ok: true, value: { a: [1, { b: null }] } });
  });

  it.each([
    [`{\n  "a": 1,\n}`, 3, 1],
    [`{"a" 1}`, 1, 6],
    [`{\n  "a": [1 2]\n}`, 2, 11],
    [`{'a': 1}`, 1, 2],
    [`{"a": nul}`, 1, 7],
    [`{"a": 1}\n}`, 2, 1],
    [`{"a": "x\ny"}`, 1, 7],
    [`{\n"a": 1 // why\n}`, 2, 8],
    [`{"a": 01}`, 1, 7],
    [`{"a":`, 1, 6],
    [``, 1, 1],
    [`[1]`, 1, 1],
    [`{\n "a": [1, 1e400]}`, 2, 11],
    [`{"a": "1e400", "id":  12345678901234567890 }`, 1, 23],
  ])("tells line and column of what is wrong: %j", (text, line, column) => {
    expect(checkJson(text)).toMatchObject({ ok: false, line, column });
  });

  it("is refused if JSON.parse refuses it or would not keep a number, and only then, with a place inside the text", () => {
    const marks = '{}[]:,"\\ \n01.-e+tnulrfas'.split("");
    const near = fc.string({ unit: fc.constantFrom(...marks), maxLength: 25 });
    fc.assert(
      fc.property(near, (inside) => {
        const text = `{"a":${inside}}`;
        const checked = checkJson(text);
        expect(checked.ok).toBe(parses(text));
        const placed = checked.ok || checked.line <= text.split("\n").length;
        const said = checked.ok || /expected|text|value|double|comments/.test(checked.message);
        expect([placed, said]).toEqual([true, true]);
      }),
      { numRuns: 3_000 },
    );
  });
});
