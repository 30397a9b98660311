import { create, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConfigRevisionSchema } from "../../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { createPageRoom, sentBytes } from "../../../src/core/registry/page-bytes.ts";
import { fromJson } from "@bufbuild/protobuf";

describe("the bytes that a value takes when it is sent", () => {
  it("are never fewer than protobuf or JSON needs, and not many more", () => {
    const object = fc.dictionary(
      fc.string({ unit: "grapheme" }),
      fc.jsonValue({ maxDepth: 4 }),
    ) as fc.Arbitrary<JsonObject>;
    fc.assert(
      fc.property(object, (config) => {
        const binary = toBinary(StructSchema, fromJson(StructSchema, config)).length;
        const json = Buffer.byteLength(JSON.stringify(config));
        const bytes = sentBytes(config);
        expect(bytes).toBeGreaterThanOrEqual(Math.max(binary, json));
        expect(bytes).toBeLessThanOrEqual(Math.max(binary, json) + 8);
      }),
    );
  });

  it("hold for a revision with 90,000 numbers", () => {
    const config = { numbers: Array.from({ length: 90_000 }, () => 0) };
    const binary = toBinary(ConfigRevisionSchema, create(ConfigRevisionSchema, { config })).length;
    expect(binary).toBeGreaterThan(900_000);
    expect(sentBytes({ config })).toBeGreaterThanOrEqual(binary);
    expect(sentBytes({ config })).toBeLessThan(binary + 100);
  });
});

describe("a page", () => {
  it("takes what fits, and one item that does not fit if it is the first", () => {
    const room = createPageRoom(1_000);
    expect([room.take("x".repeat(400)), room.take("x".repeat(400))]).toEqual([true, false]);
    const small = createPageRoom(1_000);
    expect([small.take("x".repeat(5_000)), small.take("")]).toEqual([true, false]);
  });
});
