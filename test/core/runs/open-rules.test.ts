import fc from "fast-check";
import { expect, it } from "vitest";
import { OpenedSchema } from "../../../gen/ts/valinor/link/v1/link_pb.ts";
import type { UnknownObject } from "../../../protocol/wire/frame.ts";
import { readPayload } from "../../../protocol/wire/payload.ts";
import { readPlainOpened } from "../../../src/core/runs/open-rules.ts";

const odd = fc.constantFrom(
  undefined,
  null,
  "",
  "b1",
  "\ud83d",
  "é",
  true,
  1,
  0,
  -1,
  1.5,
  4294967295,
  4294967296,
  [],
  {},
);
const payload = fc.record({
  boot_id: fc.oneof(fc.constant("b1"), odd),
  attached: fc.oneof(fc.boolean(), odd),
  next_sequence: fc.oneof(fc.integer({ min: 0, max: 9 }), odd),
  life: fc.oneof(fc.constantFrom("l1", undefined), odd),
  more: odd,
});

it("`opened` is read by hand as the schema reads it, or left to the schema", () => {
  let read = 0;
  fc.assert(
    fc.property(payload, (made) => {
      // As it comes: JSON has no undefined.
      const value = JSON.parse(JSON.stringify(made)) as UnknownObject;
      const got = readPlainOpened(value);
      if (got === undefined) return;
      read++;
      const { bootId, attached, nextSequence, life } = readPayload(OpenedSchema, value);
      expect(got).toEqual({ bootId, attached, nextSequence, ...(life !== undefined && { life }) });
    }),
    { numRuns: 1_000 },
  );
  expect(read).toBeGreaterThan(50);
});
