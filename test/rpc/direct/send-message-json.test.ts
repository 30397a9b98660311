import { fromJsonString } from "@bufbuild/protobuf";
import fc from "fast-check";
import { expect, it } from "vitest";
import { SendMessageRequestSchema } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { readSendJson } from "../../../src/rpc/direct/send-message-json.ts";

const space = fc.constantFrom("", "", "", " ", "\n", "\t \r");
const string = fc.oneof(
  fc.constantFrom(
    '""',
    '"a"',
    '"user"',
    '"a\\nb"',
    '"\\u0041"',
    '"tab\there"',
    '"é😀"',
    '"open',
    '"\\"',
    '"\\\\"',
  ),
  fc.string({ unit: "binary", maxLength: 8 }).map((value) => JSON.stringify(value)),
);
const value = fc.oneof(
  { weight: 6, arbitrary: string },
  fc.constantFrom("true", "false", "null", "1", "[]", "{}", "tru", "truefalse", "", "{"),
);
const key = fc.constantFrom(
  "agentId",
  "agent_id",
  "conversationId",
  "requestId",
  "request_id",
  "allowStaleConfig",
  "other",
  "__proto__",
);

/** Texts that are nearly always nearly JSON of the request. */
const text = fc
  .tuple(
    fc.array(fc.tuple(space, key, space, value, space), { maxLength: 4 }),
    fc.option(fc.array(fc.tuple(fc.constantFrom("role", "content", "x"), value), { maxLength: 3 }), {
      nil: undefined,
    }),
    fc.constantFrom("", "", "", "", ",", "}", " x"),
  )
  .map(([members, message, tail]) => {
    const inner = message?.map(([name, of]) => `"${name}":${of}`).join(",");
    const own = members.map(([a, name, b, of, c]) => `${a}"${name}"${b}:${c}${of}${a}`);
    const all = inner === undefined ? own : [...own, `"message":{${inner}}`];
    return `{${all.join(",")}}${tail}`;
  });

it("what the fast reader of SendMessage's JSON reads, the library reads the same", () => {
  let read = 0;
  fc.assert(
    fc.property(text, (json) => {
      const got = readSendJson(json);
      if (got === undefined) return;
      read++;
      const {
        $typeName: _,
        message,
        ...fields
      } = fromJsonString(SendMessageRequestSchema, json, {
        ignoreUnknownFields: true,
      });
      const { message: gotMessage, ...gotFields } = got;
      expect(gotFields).toEqual(fields);
      expect(gotMessage?.role).toBe(message?.role);
      expect(gotMessage?.content).toBe(message?.content);
    }),
    { numRuns: 3_000 },
  );
  expect(read).toBeGreaterThan(100);
});

it("the fast reader of SendMessage's JSON reads what clients write", () => {
  const json =
    '{"agentId":"a1","message":{"role":"user","content":"hello"},"requestId":"r","allowStaleConfig":true}';
  expect(readSendJson(json)).toEqual({
    agentId: "a1",
    message: { role: "user", content: "hello" },
    conversationId: "",
    requestId: "r",
    allowStaleConfig: true,
  });
});
