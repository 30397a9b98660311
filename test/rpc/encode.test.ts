import { create, fromBinary, toBinary, toJsonString } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type StreamResponse, StreamResponseSchema } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import type { RunEvent } from "../../src/core/types.ts";
import { encodeBatch, openedResponse, responseOf } from "../../src/rpc/encode.ts";

const text = fc.record({
  kind: fc.constant("text" as const),
  sequence: fc.integer({ min: 1, max: 0xffffffff }),
  text: fc.string({ unit: "grapheme", maxLength: 300 }),
});
const other = fc.oneof(
  fc.constant({ kind: "keepalive" as const }),
  fc.record({
    kind: fc.constant("tool_call" as const),
    sequence: fc.integer({ min: 1, max: 0xffffffff }),
    callId: fc.string(),
    toolName: fc.string(),
    arguments: fc.string(),
  }),
  fc.record({
    kind: fc.constant("done" as const),
    sequence: fc.integer({ min: 1, max: 0xffffffff }),
    finishReason: fc.string(),
    usage: fc.constant({ promptTokens: 1, completionTokens: 2, totalTokens: 3 }),
  }),
);
const batch = fc.array(fc.oneof({ weight: 3, arbitrary: text }, other), { maxLength: 12 });

/** Takes a batch apart again: flag and length of each envelope, and its message. */
function envelopes(bytes: Uint8Array): Uint8Array[] {
  const view = Buffer.from(bytes);
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < view.length) {
    expect(view[at]).toBe(0);
    const length = view.readUInt32BE(at + 1);
    parts.push(view.subarray(at + 5, at + 5 + length));
    at += 5 + length;
  }
  expect(at).toBe(view.length);
  return parts;
}

describe("a batch of events", () => {
  it("is in binary byte for byte what the library writes", () => {
    fc.assert(
      fc.property(batch, (events: RunEvent[]) => {
        const parts = envelopes(encodeBatch(events, false));
        expect(parts.map((part) => Buffer.from(part).toString("hex"))).toEqual(
          events.map((event) =>
            Buffer.from(toBinary(StreamResponseSchema, responseOf(event))).toString("hex"),
          ),
        );
      }),
    );
  });

  it("is in JSON character for character what the library writes", () => {
    fc.assert(
      fc.property(batch, (events: RunEvent[]) => {
        const parts = envelopes(encodeBatch(events, true)).map((part) => Buffer.from(part).toString());
        expect(parts).toEqual(events.map((event) => toJsonString(StreamResponseSchema, responseOf(event))));
      }),
    );
  });

  it("carries a text of a megabyte", () => {
    const long = "é".repeat(512 * 1024);
    const [part] = envelopes(encodeBatch([{ kind: "text", sequence: 300, text: long }], false));
    expect(textOf(fromBinary(StreamResponseSchema, part ?? new Uint8Array()))).toBe(long);
  });
});

describe("the first event", () => {
  it("has no number and says how to resume", () => {
    const opened = { requestId: "r", bootId: "b", attached: true, resumable: true, life: "l" };
    expect(openedResponse(opened)).toEqual(
      create(StreamResponseSchema, { sequence: 0, event: { case: "opened", value: opened } }),
    );
  });
});

function textOf(response: StreamResponse): string | undefined {
  return response.event.case === "textDelta" ? response.event.value.text : undefined;
}
