import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Frame, UnknownObject } from "../../../protocol/wire/frame.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { readTextFrame } from "../../../protocol/wire/text-frame.ts";
import { decode, rawFrame, refusal } from "./pieces.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What the engine's reader makes of a frame; undefined if the frame is wrong. Only for frames whose depth and tokens are within bounds. */
function general(json: Buffer): Frame | undefined {
  try {
    const { type, id, payload } = JSON.parse(utf8.decode(json)) as {
      type: string;
      id: string;
      payload: UnknownObject;
    };
    return id.length > limits.idLength ? undefined : { type, id, payload, size: json.length + 4 };
  } catch {
    return undefined;
  }
}

/** Reads the frame as it stands in a read of a socket: other bytes before it and behind. */
function readAmong(json: Buffer, before: Buffer, behind: Buffer): Frame | undefined {
  return readTextFrame(Buffer.concat([before, json, behind]), before.length, before.length + json.length);
}

const NOTHING = Buffer.alloc(0);
const read = (json: string) => readAmong(Buffer.from(json), NOTHING, NOTHING);

const unit = fc.oneof(
  fc.integer({ min: 0x20, max: 0x7e }),
  fc.integer({ min: 0, max: 0xffff }),
  fc.constantFrom(0x22, 0x5c, 0x2f, 0x0a, 0x7f, 0x80, 0x85, 0x2028, 0xd800, 0xdc00, 0xfffd),
);
const text = fc
  .array(unit, { maxLength: 300 })
  .map((units) => units.map((one) => String.fromCharCode(one)).join(""));
const id = fc.stringMatching(/^[\w-]{0,140}$/);
const digits = fc.oneof(
  fc.nat(0xffffffff).map(String),
  fc.constantFrom("0", "00", "07", "-1", "1.5", "1e3", "9999999999", "10000000000", "", "null", '"1"', " 1"),
);
const field = (key: string) => fc.option(digits).map((value) => (value === null ? "" : `,"${key}":${value}`));
const canonical = fc
  .tuple(id, text, field("sequence"), field("mark"))
  .map(([name, content, sequence, mark]) =>
    Buffer.from(
      `{"type":"chunk","id":"${name}","payload":{"content":${JSON.stringify(content)},"done":false${sequence}${mark}}}`,
    ),
  );
const noise = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

describe("a chunk in the form in which guests write it", () => {
  test("is read as any other frame would be, or left to the general way", () => {
    fc.assert(
      fc.property(canonical, noise, noise, (json, before, behind) => {
        const frame = readAmong(json, before, behind);
        expect(frame ?? general(json)).toStrictEqual(general(json));
      }),
      { numRuns: 2_000 },
    );
  });

  test("is never read if a byte of it is wrong, and is read as it stands if the byte is good", () => {
    const change = fc.record({
      at: fc.nat(),
      drop: fc.nat(2),
      put: fc.oneof(
        fc.uint8Array({ maxLength: 3 }),
        fc.constantFrom('"', "\\", "}", ",", "{}", "\\u0041", " ").map((one) => Buffer.from(one)),
      ),
    });
    fc.assert(
      fc.property(
        canonical,
        fc.array(change, { minLength: 1, maxLength: 2 }),
        noise,
        (json, changes, behind) => {
          let changed = json;
          for (const { at, drop, put } of changes) {
            const from = at % (changed.length + 1);
            changed = Buffer.concat([changed.subarray(0, from), put, changed.subarray(from + drop)]);
          }
          const frame = readAmong(changed, NOTHING, behind);
          expect(frame ?? general(changed)).toStrictEqual(general(changed));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  test("does not reach behind its end: what makes it whole may be the next frame", () => {
    const json = Buffer.from(
      '{"type":"chunk","id":"a","payload":{"content":"hello","done":false,"sequence":12,"mark":3}}',
    );
    for (let length = 0; length < json.length; length++)
      expect(readTextFrame(json, 0, length)).toBeUndefined();
    expect(readTextFrame(json, 0, json.length)).toStrictEqual(general(json));
  });

  test.each([
    ["plain text", "The quick brown fox"],
    ["no text", ""],
    ["line breaks and quotes", 'He said: "no"\n\\ \t\u0001'],
    ["text beyond ASCII", "Größe 😀 \u0085\u2028"],
    ["half a surrogate pair", "\ud800"],
    ["long text", "x".repeat(5_000)],
    ["long text that ends in escapes", `${"x".repeat(200)}\\\\"`],
  ])("with %s needs no general way", (_, content) => {
    const payload = { content, done: false, sequence: 7, mark: 0x1fffffff };
    const json = Buffer.from(JSON.stringify({ type: "chunk", id: "0123456789abcdef", payload }));
    expect(readTextFrame(json, 0, json.length)).toStrictEqual(general(json));
  });

  test.each([
    ["without numbers", '"done":false'],
    ["without a mark", '"done":false,"sequence":1'],
    ["without a sequence", '"done":false,"mark":0'],
  ])("is read %s", (_, rest) => {
    const json = `{"type":"chunk","id":"","payload":{"content":"x",${rest}}}`;
    expect(read(json)).toStrictEqual(general(Buffer.from(json)));
    expect(read(json)).toBeDefined();
  });

  test("keeps names apart that differ in one byte only", () => {
    const names = Array.from({ length: 32 }, (_, at) => `${"0".repeat(at)}1${"0".repeat(31 - at)}`);
    const json = (name: string) => `{"type":"chunk","id":"${name}","payload":{"content":"","done":false}}`;
    for (let round = 0; round < 3; round++) for (const name of names) expect(read(json(name))?.id).toBe(name);
  });

  test("is decoded, and one that is wrong is refused, as before", () => {
    const frame = (content: string, tail = "}}") =>
      rawFrame(`{"type":"chunk","id":"a","payload":{"content":"${content}","done":false${tail}`);
    expect(decode(frame("x"))).toStrictEqual([
      { type: "chunk", id: "a", payload: { content: "x", done: false }, size: frame("x").length },
    ]);
    expect(refusal(frame("\n"))).toBe("invalid_frame");
    expect(refusal(frame("\\x"))).toBe("invalid_frame");
    expect(refusal(frame("x", ',"sequence":01}}'))).toBe("invalid_frame");
    expect(refusal(frame("x", "}}}"))).toBe("invalid_frame");
  });
});
