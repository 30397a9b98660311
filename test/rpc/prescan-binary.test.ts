import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  FileDescriptorProtoSchema,
  ListValueSchema,
  StructSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PushConfigRequestSchema } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { prescanBinary } from "../../src/rpc/prescan-binary.ts";

/** A list of this many values that are empty: two bytes each. */
const emptyValues = (count: number) => Buffer.alloc(2 * count).map((_, at) => (at % 2 === 0 ? 0x0a : 0));

/** Lists in lists. */
function nested(depth: number): Uint8Array {
  let value = new Uint8Array();
  for (let level = 0; level < depth; level++) {
    const list = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(value).finish(); // Value.list_value
    value = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(list).finish(); // ListValue.values
  }
  return value;
}

function throws(call: () => unknown): boolean {
  try {
    call();
    return false;
  } catch {
    return true;
  }
}

describe("a message in binary form", () => {
  it("passes where it is an ordinary one", () => {
    const config = { model: "m", tools: ["a", "b"], nested: { list: [1, true, null, { x: "y" }] } };
    const request = create(PushConfigRequestSchema, {
      agentId: "a",
      config,
      toolPolicy: { tools: ["a", "b"] },
    });
    expect(
      prescanBinary(PushConfigRequestSchema, toBinary(PushConfigRequestSchema, request)),
    ).toBeUndefined();
  });

  it("passes with as many values as JSON may have", () => {
    const config = { list: Array.from({ length: 99_000 }, (_, at) => at) };
    const bytes = toBinary(PushConfigRequestSchema, create(PushConfigRequestSchema, { config }));
    expect(prescanBinary(PushConfigRequestSchema, bytes)).toBeUndefined();
  });

  it("is refused with more values, whose two bytes each would be a hundred in memory", () => {
    expect(prescanBinary(ListValueSchema, emptyValues(200_000))).toBeUndefined();
    expect(prescanBinary(ListValueSchema, emptyValues(200_001))).toBe("more than 200000 values");
  });

  it("is refused with more values in a packed field", () => {
    const packed = new BinaryWriter().tag(10, WireType.LengthDelimited).bytes(Buffer.alloc(200_001)).finish();
    expect(prescanBinary(FileDescriptorProtoSchema, packed)).toBe("more than 200000 values");
  });

  it("is refused with more fields that nobody knows", () => {
    const unknown = Buffer.alloc(2 * 200_001).fill(Buffer.from([0x78, 0]));
    expect(prescanBinary(StructSchema, unknown)).toBe("more than 200000 values");
  });

  it("is refused where it nests deeper than the parser would go", () => {
    expect(prescanBinary(ListValueSchema, nested(49))).toBeUndefined();
    expect(prescanBinary(ListValueSchema, nested(60))).toBe("nesting over 100");
    expect(prescanBinary(ListValueSchema, nested(5_000))).toBe("nesting over 100");
  });

  it("is refused where it is cut off, or none", () => {
    const bytes = toBinary(
      ValueSchema,
      create(ValueSchema, { kind: { case: "stringValue", value: "text" } }),
    );
    expect(prescanBinary(ValueSchema, bytes.subarray(0, -1))).toMatch(/no message/);
    expect(prescanBinary(ValueSchema, Buffer.from("{}"))).toMatch(/no message/);
  });

  it("whose tags lie about what follows is counted as the parser reads it", () => {
    // A tag that says "varint" before a list of messages: the parser reads messages all the same.
    const list = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(emptyValues(200_001)).finish();
    const lying = Buffer.from(new BinaryWriter().tag(1, WireType.Varint).uint32(list.length).finish());
    expect(prescanBinary(ListValueSchema, Buffer.concat([lying, list]))).toBe("more than 200000 values");
  });

  it("passes wherever the parser takes it, whatever its bytes are", () => {
    const legal = toBinary(
      StructSchema,
      create(StructSchema, {
        fields: {
          a: {
            kind: { case: "listValue", value: { values: [{ kind: { case: "numberValue", value: 1 } }] } },
          },
        },
      }),
    );
    const verdict = fc.check(
      fc.property(fc.array(fc.tuple(fc.nat(legal.length - 1), fc.nat(255)), { maxLength: 4 }), (changes) => {
        const bytes = legal.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        if (prescanBinary(StructSchema, bytes) === undefined) return true;
        return throws(() => fromBinary(StructSchema, bytes, { readUnknownFields: false }));
      }),
      { numRuns: 2_000 },
    );
    expect(verdict.counterexample).toBeNull();
  });
});
