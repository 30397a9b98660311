import { create } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ChunkSchema,
  ConfigAckSchema,
  ConfigUpdateSchema,
  ErrorSchema,
  HeartbeatSchema,
  MessageSchema,
  ToolBlockedSchema,
} from "../../../gen/ts/valinor/link/v1/link_pb.ts";
import { LinkError } from "../../../protocol/wire/errors.ts";
import { isTextChunk, readPayload, writePayload } from "../../../protocol/wire/payload.ts";
import { isUint32 } from "../../../protocol/wire/values.ts";

/** The chunk that a payload is, or undefined if it is none. */
function readChunk(payload: Record<string, unknown>) {
  try {
    return readPayload(ChunkSchema, payload);
  } catch (error) {
    if (error instanceof LinkError && error.code === "invalid_frame") return undefined;
    throw error;
  }
}

const anyString = fc.string({
  unit: fc.integer({ min: 0xd700, max: 0xe000 }).map((c) => String.fromCharCode(c)),
});
const sequence = fc.oneof(
  fc.nat(),
  fc.constantFrom(0, -0, -1, 1.5, 0xffffffff, 0x100000000, 1e300, "1", true, null, [], {}),
);
const chunkLike = fc.record(
  {
    content: fc.oneof({ weight: 4, arbitrary: fc.string() }, anyString, fc.constantFrom(null, 1, [], {})),
    done: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constantFrom(true, null, 0, "false")),
    sequence: fc.oneof({ weight: 2, arbitrary: fc.integer({ min: 1, max: 100 }) }, sequence),
    finish_reason: fc.constantFrom("stop", null, 7),
    usage: fc.constantFrom({ total_tokens: 1 }, null, "none"),
    other: fc.jsonValue(),
  },
  { requiredKeys: [] },
);

describe("isTextChunk", () => {
  test("takes only what readPayload takes, and sees the same in it", () => {
    fc.assert(
      fc.property(chunkLike, (payload) => {
        if (!isTextChunk(payload)) return;
        const chunk = readChunk(payload);
        expect(chunk).toBeDefined();
        expect(chunk?.done).toBe(false);
        expect(chunk?.content).toBe(payload.content);
        expect(chunk?.sequence === payload.sequence).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });

  test("takes every text chunk that writePayload writes", () => {
    const wellFormed = fc.string({ unit: "binary" });
    fc.assert(
      fc.property(
        wellFormed,
        fc.option(fc.integer({ min: 0, max: 0xffffffff }), { nil: undefined }),
        (content, n) => {
          const chunk = create(ChunkSchema, { content, ...(n === undefined ? {} : { sequence: n }) });
          expect(isTextChunk(writePayload(ChunkSchema, chunk) as Record<string, unknown>)).toBe(true);
        },
      ),
    );
  });

  test("leaves the end of a run, half characters and wrong fields to readPayload", () => {
    expect(isTextChunk({ content: "", done: true, sequence: 1 })).toBe(false);
    expect(isTextChunk({ content: "\ud83d", done: false, sequence: 1 })).toBe(false);
    expect(isTextChunk({ content: "a", done: false, sequence: 1, finish_reason: 7 })).toBe(false);
    expect(isTextChunk({ content: "a", done: false, sequence: 1, usage: "none" })).toBe(false);
    expect(isTextChunk({ content: "a", done: false, sequence: -1 })).toBe(false);
  });
});

test("isUint32 takes integers from 0 to 2^32-1 and nothing else", () => {
  expect([0, 1, 0xffffffff].every(isUint32)).toBe(true);
  expect([-1, 0.5, 0x100000000, Number.NaN, Infinity, "1", null, undefined, true, [1]].some(isUint32)).toBe(
    false,
  );
});

describe("readPayload", () => {
  test.each([
    ["a text where a number belongs", { protocol: "forged line\n{}" }],
    ["a list", { status: ["forged line"] }],
    ["a number out of range", { protocol: 987_654_321_000 }],
  ])("says which field is wrong, and quotes nothing of the peer: %s", (_what, payload) => {
    const read = () => readPayload(HeartbeatSchema, payload);
    expect(read).toThrow(/Heartbeat\.(protocol|status) from JSON: expected (string|number \(uint32\))$/);
    expect(read).not.toThrow(/forged|987/);
  });

  test("ignores fields it does not know", () => {
    expect(readChunk({ content: "a", later: { deep: [1] } })?.content).toBe("a");
  });

  test.each([
    ["text that is a number", ChunkSchema, { content: 1 }],
    ["text that is an object", ChunkSchema, { content: {} }],
    ["half a character", ChunkSchema, { content: "\ud83d" }],
    ["done that is text", ChunkSchema, { done: "true" }],
    ["a negative sequence", ChunkSchema, { sequence: -1 }],
    ["a broken sequence", ChunkSchema, { sequence: 1.5 }],
    ["a sequence over 2^32-1", ChunkSchema, { sequence: 0x100000000 }],
    ["usage that is a list", ChunkSchema, { usage: [] }],
    ["credit that is an object", MessageSchema, { credit: {} }],
    ["tools that are text", ConfigUpdateSchema, { tool_allowlist: "all" }],
    ["a tool that is null", ConfigUpdateSchema, { tool_allowlist: [null] }],
    ["a configuration that is a list", ConfigUpdateSchema, { config: [] }],
  ])("refuses %s", (_, schema, payload) => {
    expect(() => readPayload(schema, payload)).toThrowError(
      expect.objectContaining({ code: "invalid_frame" }),
    );
  });

  test("keeps every key of a configuration, __proto__ too, and touches no prototype", () => {
    const payload = JSON.parse('{"config":{"__proto__":{"polluted":true},"a":{"b":[1,null,"x"]}}}') as object;
    const update = readPayload(ConfigUpdateSchema, payload as Record<string, unknown>);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(JSON.stringify(update.config)).toBe('{"__proto__":{"polluted":true},"a":{"b":[1,null,"x"]}}');
  });

  test("takes null for absent, as protocol-1 hosts write it", () => {
    const update = readPayload(ConfigUpdateSchema, { config: null, tool_allowlist: null });
    expect(update.config).toBeUndefined();
    expect(update.toolAllowlist).toStrictEqual([]);
  });
});

describe("writePayload", () => {
  test.each([
    [HeartbeatSchema, '{"status":"","uptime_secs":0}'],
    [MessageSchema, '{"role":"","content":""}'],
    [ChunkSchema, '{"content":"","done":false}'],
    [ErrorSchema, '{"code":"","message":""}'],
    [ToolBlockedSchema, '{"reason":"","tool_name":""}'],
    [ConfigAckSchema, '{"applied":false}'],
    [ConfigUpdateSchema, '{"tool_allowlist":[]}'],
  ])("of an empty message gives the fields of protocol 1 and no other (%#)", (schema, json) => {
    expect(JSON.stringify(writePayload(schema, create(schema)))).toBe(json);
  });

  test("gives a field of protocol 2 that is set to its zero", () => {
    const chunk = create(ChunkSchema, { sequence: 0, finishReason: "" });
    expect(JSON.stringify(writePayload(ChunkSchema, chunk))).toBe(
      '{"content":"","done":false,"sequence":0,"finish_reason":""}',
    );
  });

  test("writes sequences and limits as numbers", () => {
    const message = create(MessageSchema, { afterSequence: 0xffffffff, credit: 2 ** 53 - 1 });
    expect(writePayload(MessageSchema, message)).toMatchObject({
      after_sequence: 0xffffffff,
      credit: 2 ** 53 - 1,
    });
  });
});
