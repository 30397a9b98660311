import { readFileSync } from "node:fs";
import { type DescField, ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { SeenSchema, ToolPolicySchema, UsageSchema } from "../../../gen/ts/valinor/link/v1/link_pb.ts";
import { describe, expect, test } from "vitest";
import { limits } from "../../../protocol/wire/limits.ts";
import { errorCodes, frameTypes } from "../../../protocol/wire/vocabulary.ts";
import { schemas } from "./schemas.ts";

const page = readFileSync(new URL("../../../docs/wire-protocol.md", import.meta.url), "utf8");

/** The text from a heading to the next heading of any level. */
function section(heading: string): string {
  const from = page.indexOf(`\n${heading}\n`);
  if (from < 0) throw new Error(`the page has no heading ${heading}`);
  const start = from + heading.length + 2;
  const end = page.indexOf("\n#", start);
  return page.slice(start, end < 0 ? page.length : end);
}

/** Rows of the tables in a text whose first cell is code, cells without their ticks. */
function rows(text: string): string[][] {
  return [...text.matchAll(/^\| `.*\|$/gm)].map(([line]) =>
    line
      .slice(1, -1)
      .split("|")
      .map((cell) => cell.trim().replaceAll("`", "")),
  );
}

describe("docs/wire-protocol.md", () => {
  test("lists every limit with its value, and no other", () => {
    const listed = rows(section("## 9. Limits")).map(([name, value]) => [name, Number(value)]);
    expect(listed).toStrictEqual(Object.entries(limits));
  });

  test("lists every frame type", () => {
    const listed = rows(section("### 4.1 Types")).map(([type]) => type?.replace(" +", ""));
    expect(listed).toStrictEqual(frameTypes);
  });

  test("lists every error code, those that end a run with a sequence", () => {
    const listed = rows(section("### 8.3 Codes of error frames"));
    expect(listed.map(([code]) => code)).toStrictEqual(errorCodes);
    expect(new Set(listed.map(([, sequence]) => sequence))).toStrictEqual(new Set(["no", "yes", "either"]));
  });

  const payloads = section("### 4.2 Payloads");
  const described = { ...schemas, Seen: SeenSchema, Usage: UsageSchema, ToolPolicy: ToolPolicySchema };

  test.each(Object.entries(described))("lists the fields of %s as link/v1 has them", (name, schema) => {
    const from = payloads.search(new RegExp(`^(\`${name}\`|${name}, inside|\`ping\` and \`${name}\`)`, "m"));
    expect(from).toBeGreaterThanOrEqual(0);
    // The next paragraph that names a payload ends this one.
    const rest = payloads.slice(from).split("\n");
    const until = rest.findIndex((line, index) => index > 0 && /^(`|[A-Z]\w+, inside)/.test(line));
    const text = rest.slice(0, until < 0 ? rest.length : until).join("\n");
    const listed = rows(text).map(([field, type, presence]) => [field, type, presence]);
    expect(listed).toStrictEqual(schema.fields.map(describeField));
  });
});

function describeField(field: DescField): string[] {
  const message = field.message?.name;
  const scalar = field.scalar === undefined ? undefined : ScalarType[field.scalar].toLowerCase();
  const type = message ?? scalar ?? "";
  // Lists have no presence in protobuf: those of protocol 1, and what came inside a field of protocol 2, are always there.
  const isList = field.fieldKind === "list";
  const always = ["tool_allowlist", "ToolPolicy.tools"];
  const optional = isList
    ? !always.includes(field.jsonName) && !always.includes(`${field.parent.name}.${field.jsonName}`)
    : field.presence !== FeatureSet_FieldPresence.IMPLICIT;
  return [field.jsonName, isList ? `list of ${type}` : type, optional ? "optional" : "always"];
}
