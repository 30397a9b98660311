import { create, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { createValidator } from "@bufbuild/protovalidate";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  AgentProxy,
  CancelMessageRequestSchema,
  SendMessageRequestSchema,
  StreamRequestSchema,
} from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { compileRules } from "../../../src/rpc/direct/rules.ts";

const validator = createValidator();

function isValid(desc: DescMessage, message: Message): boolean {
  return validator.validate(desc, message).kind === "valid";
}

/** Texts around the edges of names and ids. */
const text = fc.oneof(
  fc.constantFrom("", "a", "user", "tool", "a".repeat(63), "a".repeat(64), "a".repeat(128), "a".repeat(129)),
  fc.constantFrom("-a", "a b", "a\n", "\n", "é", "a\u2028", "\ud83d", "A.b_c-d:e", "a\0"),
  fc.string({ unit: "grapheme", maxLength: 70 }),
  fc.string({ maxLength: 140 }),
);

const content = fc.oneof(
  text,
  fc.constantFrom(1024 * 1024, 1024 * 1024 + 1).map((length) => "x".repeat(length)),
  fc.constantFrom(349_525, 349_526, 524_288, 524_289).map((length) => "é".repeat(length)),
);

describe("the compiled rules", () => {
  it("let through exactly the messages for SendMessage that the validator lets through", () => {
    const keeps = compileRules(SendMessageRequestSchema);
    const good = { agentId: "a1", conversationId: "c", requestId: "", message: { role: "", content: "x" } };
    const name = fc.constantFrom("agentId", "conversationId", "requestId");
    const request = fc.oneof(
      fc.tuple(name, text).map(([key, value]) => ({ ...good, [key]: value })),
      fc.record({ role: text, content }).map((message) => ({ ...good, message })),
      content.map((value) => ({ ...good, message: { role: "tool", content: value } })),
      fc.constant({ agentId: "a1" }),
    );
    let valid = 0;
    fc.assert(
      fc.property(request, (fields) => {
        const made = create(SendMessageRequestSchema, fields);
        const expected = isValid(SendMessageRequestSchema, made);
        if (expected) valid++;
        expect(keeps(made)).toBe(expected);
      }),
      { numRuns: 300 },
    );
    expect(valid).toBeGreaterThan(10);
  });

  it("let through nothing that the validator refuses, whatever the method", () => {
    const wrong: Message[] = [];
    let kept = 0;
    for (const { input } of AgentProxy.methods) {
      const keeps = compileRules(input);
      const names = input.fields.filter((field) => field.scalar === ScalarType.STRING);
      const texts = fc.record(Object.fromEntries(names.map((field) => [field.localName, text])));
      for (const fields of fc.sample(texts, 40)) {
        const made = create(input, fields);
        if (!keeps(made)) continue;
        kept++;
        if (!isValid(input, made)) wrong.push(made);
      }
    }
    expect(wrong).toEqual([]);
    expect(kept).toBeGreaterThan(0);
  });

  it("leave a schema with rules that they do not know to the validator", () => {
    const attach = create(StreamRequestSchema, { agentId: "a1", requestId: "r" });
    expect(isValid(StreamRequestSchema, attach)).toBe(true);
    expect(compileRules(StreamRequestSchema)(attach)).toBe(false);
    const cancel = create(CancelMessageRequestSchema, { agentId: "a1", requestId: "r" });
    expect(isValid(CancelMessageRequestSchema, cancel)).toBe(true);
  });
});
