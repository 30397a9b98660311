import { type DescField, type DescMessage, getOption, hasOption } from "@bufbuild/protobuf";
import { field as fieldRules } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { describe, expect, it } from "vitest";
import { file_valinor_v1_agent_proxy, MessageSchema } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { file_valinor_v1_agent_registry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { ToolPolicySchema } from "../../gen/ts/valinor/v1/types_pb.ts";
import {
  AGENT_ID_PATTERN,
  errorText,
  isAgentId,
  isLoopback,
  isName,
  isToolName,
  longestPauseMs,
  NAME_PATTERN,
  pauseMs,
} from "../../protocol/mod.ts";
import { limits } from "../../protocol/wire/limits.ts";

const messages: DescMessage[] = [
  ...file_valinor_v1_agent_proxy.messages,
  ...file_valinor_v1_agent_registry.messages,
];

/** What proto/valinor/v1 asks of a text, as protovalidate has it. */
function textRules(field: DescField | undefined): { pattern: string; maxBytes: number } {
  const type =
    field !== undefined && hasOption(field, fieldRules) ? getOption(field, fieldRules).type : undefined;
  if (type?.case !== "string") throw new Error("the field has no rules of a text");
  return { pattern: type.value.pattern, maxBytes: Number(type.value.maxBytes) };
}

describe("the grammar of names", () => {
  // Both may be escaped for a browser's `pattern`; an empty name is none.
  const written = (pattern: string) => pattern.replaceAll("\\-", "-").replace("{1,128}", "{0,128}");
  const named = messages.flatMap((message) =>
    message.fields
      .filter((field) => field.fieldKind === "scalar" && hasOption(field, fieldRules))
      .filter(
        (field) => getOption(field, fieldRules).type.case === "string" && textRules(field).pattern !== "",
      )
      .map((field) => [`${message.name}.${field.name}`, field] as const),
  );

  it("stands at 17 fields of the API or more", () => {
    expect(named.length).toBeGreaterThanOrEqual(17);
  });

  it.each(named)("is that of %s", (_, field) => {
    const isId = field.name === "agent_id" || field.name === "id";
    const pattern = `^${isId ? AGENT_ID_PATTERN : NAME_PATTERN}$`;
    expect(written(textRules(field).pattern)).toBe(written(pattern));
  });

  it.each([
    ["a", true],
    ["A.b_c-9", true],
    ["x".repeat(63), true],
    ["x".repeat(64), false],
    ["-a", false],
    ["a:b", false],
    ["a\n", false],
    ["", false],
  ])("takes %j for an agent's id: %s", (text, good) => {
    expect(isAgentId(text)).toBe(good);
  });

  it.each([
    ["-a:b.c_d", true],
    ["x".repeat(128), true],
    ["x".repeat(129), false],
    ["a/b", false],
    ["", false],
  ])("takes %j for a request's name: %s", (text, good) => {
    expect(isName(text)).toBe(good);
  });

  it("takes for a tool's name what OpenAI takes", () => {
    expect(["get_weather-2", "x".repeat(64)].every(isToolName)).toBe(true);
    expect(["a.b", "", "x".repeat(65)].some(isToolName)).toBe(false);
  });
});

describe("the limits", () => {
  it("of texts are those that the API's schema has", () => {
    const context = messages.find(({ name }) => name === "PushContextRequest")?.field["context"];
    expect(textRules(MessageSchema.field["content"]).maxBytes).toBe(limits.contentBytes);
    expect(textRules(context).maxBytes).toBe(limits.contextEntryBytes);
  });

  it("of a tool policy are those that the API's schema has", () => {
    const { type } = getOption(ToolPolicySchema.field["tools"], fieldRules);
    if (type.case !== "repeated" || type.value.items?.type.case !== "string")
      throw new Error("no list of texts");
    expect(Number(type.value.maxItems)).toBe(limits.policyTools);
    expect(Number(type.value.items.type.value.maxBytes)).toBe(limits.policyToolBytes);
  });
});

describe("a loopback name", () => {
  it.each(["localhost", "LOCALHOST", "127.0.0.1", "127.255.255.255", "::1", "[::1]"])("is %s", (host) => {
    expect(isLoopback(host)).toBe(true);
  });

  it.each([
    "",
    "127.0.0.256",
    "127.0.0",
    "127.0.0.1.example.com",
    "127.1",
    "128.0.0.1",
    "::2",
    "localhost.",
    "0.0.0.0",
  ])("is not %j", (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});

describe("a pause", () => {
  const pace = { firstMs: 50, longestMs: 5_000 };

  it("doubles its bound with each failure, up to the longest", () => {
    expect([0, 1, 2, 6, 7, 5_000].map((failures) => longestPauseMs(pace, failures))).toEqual([
      50, 100, 200, 3_200, 5_000, 5_000,
    ]);
  });

  it("is a random part of the bound", () => {
    expect([0, 0.5, 0.999].map((random) => pauseMs(pace, 1, random))).toEqual([0, 50, 99.9]);
  });
});

describe("the text of what was thrown", () => {
  it.each([
    [new Error("it broke"), "it broke"],
    ["a text", "a text"],
    [undefined, "undefined"],
    [new AggregateError([new Error("a"), new Error("b")]), "a; b"],
    [new AggregateError([new Error("a")], "all failed"), "all failed"],
  ])("of %s is %j", (thrown, text) => {
    expect(errorText(thrown)).toBe(text);
  });
});
