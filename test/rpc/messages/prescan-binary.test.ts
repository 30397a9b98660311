import { create, type DescMessage, fromBinary, fromJson, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  FileDescriptorProtoSchema,
  ListValueSchema,
  StructSchema,
  timestampFromDate,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PushConfigRequestSchema } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import {
  AgentSchema,
  ListConfigRevisionsRequestSchema,
} from "../../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { ToolPolicySchema } from "../../../gen/ts/valinor/v1/types_pb.ts";
import { prescanBinary } from "../../../src/rpc/messages/prescan-binary.ts";

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
  it("passes the prescan if it is an ordinary one", () => {
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

  it("is refused if it nests deeper than the parser would go", () => {
    expect(prescanBinary(ListValueSchema, nested(49))).toBeUndefined();
    expect(prescanBinary(ListValueSchema, nested(60))).toBe("nesting over 100");
    expect(prescanBinary(ListValueSchema, nested(5_000))).toBe("nesting over 100");
  });

  it("is refused if it is cut off, or is no message at all", () => {
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

  it("is refused for text that is not UTF-8, in a field, a list, a map's key and its value", () => {
    const latin1 = Buffer.from([0x0a, 4, 0xcb, 0x40, 0xda, 1]);
    expect(prescanBinary(ListConfigRevisionsRequestSchema, latin1)).toBe("text that is not UTF-8");
    const policy = new BinaryWriter().tag(2, WireType.LengthDelimited).bytes(latin1.subarray(2)).finish();
    expect(prescanBinary(ToolPolicySchema, policy)).toBe("text that is not UTF-8");
    const entry = Buffer.from([0x0a, 4, 0x0a, 2, 0xcb, 0x40]);
    expect(prescanBinary(StructSchema, entry)).toBe("text that is not UTF-8");
    const value = Buffer.from([0x1a, 2, 0xcb, 0x40]);
    expect(prescanBinary(ValueSchema, value)).toBe("text that is not UTF-8");
  });

  it("is refused for a number that is longer than a number can be", () => {
    const endless = Buffer.from([0x20, ...Array<number>(10).fill(0xff), 1]);
    expect(prescanBinary(ValueSchema, endless)).toMatch(/no message/);
  });

  const samples: [string, DescMessage, Uint8Array][] = [
    [
      "google.protobuf.Struct",
      StructSchema,
      toBinary(
        StructSchema,
        fromJson(StructSchema, { a: [1, "té", null, true], b: { "\u20ac": [[], {}] }, c: -0.5 }),
      ),
    ],
    [
      "PushConfigRequest",
      PushConfigRequestSchema,
      toBinary(
        PushConfigRequestSchema,
        fromJson(PushConfigRequestSchema, {
          agentId: "agent",
          config: { model: "m" },
          toolPolicy: { tools: ["a", "ü"] },
        }),
      ),
    ],
    [
      "a file's descriptor, with packed lists, enums, and text that is not checked",
      FileDescriptorProtoSchema,
      toBinary(FileDescriptorProtoSchema, PushConfigRequestSchema.file.proto),
    ],
    [
      "a method's answer with 64-bit numbers, timestamps and enums",
      AgentSchema,
      toBinary(
        AgentSchema,
        create(AgentSchema, {
          id: "a",
          createTime: timestampFromDate(new Date(1e12)),
          updateTime: timestampFromDate(new Date(1e12)),
        }),
      ),
    ],
  ];
  it.each(samples)(
    "passes if and only if the parser takes it, whatever its bytes are: %s",
    (_, desc, legal) => {
      const verdict = fc.check(
        fc.property(
          fc.array(fc.tuple(fc.nat(legal.length - 1), fc.nat(255)), { maxLength: 6 }),
          (changes) => {
            const bytes = legal.slice();
            for (const [at, byte] of changes) bytes[at] = byte;
            const passes = prescanBinary(desc, bytes) === undefined;
            return passes !== throws(() => fromBinary(desc, bytes, { readUnknownFields: false }));
          },
        ),
        { numRuns: 5_000 },
      );
      expect(verdict.counterexample).toBeNull();
    },
  );
});
