import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { glanceEnvelope, readEnvelope } from "../../../protocol/wire/envelope.ts";

const read = (json: string) => readEnvelope(Buffer.from(json), 0, Buffer.byteLength(json));
const glance = (json: string) => glanceEnvelope(Buffer.from(json), 0, Buffer.byteLength(json));

/** What JSON.parse says of it; undefined if that is no frame. */
function parsed(json: string): unknown {
  let value: { type?: unknown; id?: unknown };
  try {
    value = JSON.parse(json) as typeof value;
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { type, id = "" } = value;
  return typeof type === "string" && typeof id === "string" ? { type, id } : undefined;
}

describe("an envelope", () => {
  test.each([
    [`{"type":"chunk","id":"a","payload":{"content":"x"}}`, { type: "chunk", id: "a" }],
    [`{"id":"a","payload":{"type":"not this","id":"nor this"},"type":"chunk"}`, { type: "chunk", id: "a" }],
    [` { "type" : "x" , "payload" : [ {"a":"}"} , "]" ] } `, { type: "x", id: "" }],
    [`{"type":"a","id":"1","type":"b","id":"2"}`, { type: "b", id: "2" }],
    [`{"\\u0074ype":"\\u0068eartbeat"}`, { type: "heartbeat", id: "" }],
    [`{"type":"x","payload":"a quote \\" and \\\\"}`, { type: "x", id: "" }],
    [`{"n":1e9,"t":true,"type":"x","z":null}`, { type: "x", id: "" }],
    [`{"type":"x","id":"\u00e9\u{1F600}"}`, { type: "x", id: "\u00e9\u{1F600}" }],
  ])("is read from %s", (json, envelope) => {
    expect(read(json)).toEqual(envelope);
  });

  test.each([
    "",
    "[]",
    "null",
    "{}",
    `{"type":7}`,
    `{"type":"x","id":7}`,
    `{"type":"x"`,
    `{"type" "x"}`,
    `{"type":"\\x"}`,
  ])("is not read from %s, which the parser is to refuse", (json) => {
    expect(read(json)).toBeUndefined();
  });

  test("of any JSON that can be written is what the parser finds in it", () => {
    const key = fc.oneof(
      fc.constantFrom("type", "id", "payload", "ty\u0070e"),
      fc.string({ unit: "binary" }),
    );
    const text = fc.string({ unit: "binary", maxLength: 20 });
    const members = fc.array(fc.tuple(key, fc.oneof(text, fc.jsonValue({ maxDepth: 4 }))), { maxLength: 8 });
    const space = fc.constantFrom("", " ", "\n\t", "\r ");
    fc.assert(
      fc.property(members, space, (list, gap) => {
        const body = list.map(
          ([k, v]) => `${gap}${JSON.stringify(k)}${gap}:${gap}${JSON.stringify(v)}${gap}`,
        );
        const json = `${gap}{${body.join(",")}}${gap}`;
        expect(read(json)).toEqual(parsed(json));
      }),
      { numRuns: 2_000 },
    );
  });

  test("of broken JSON is none, or what a parser would have found up to there", () => {
    const json = `{"type":"chunk","id":"a","payload":{"content":"x\\"y","list":[1,{"a":"b"}]}}`;
    for (let length = 0; length < json.length; length++) expect(read(json.slice(0, length))).toBeUndefined();
  });

  test("is seen at a glance if it stands as writers put it, and only there", () => {
    expect(glance(`{"type":"chunk","id":"a1","payload":{}}`)).toEqual({ type: "chunk", id: "a1" });
    expect(glance(`{"type":"heartbeat","id":"","payload":{}}`)).toEqual({ type: "heartbeat", id: "" });
    expect(glance(`{"id":"a1","type":"chunk","payload":{}}`)).toBeUndefined();
    expect(glance(`{"type":"chunk", "id":"a1","payload":{}}`)).toBeUndefined();
    expect(glance(`{"type":"chunk","id":"\\u0061","payload":{}}`)).toBeUndefined();
  });
});
