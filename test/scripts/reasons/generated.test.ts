import { describe, expect, it } from "vitest";
import { goFile } from "../../../scripts/reasons/go.ts";
import { markdownPage } from "../../../scripts/reasons/markdown.ts";
import type { ReasonRow } from "../../../scripts/reasons/read.ts";
import { typescriptFile } from "../../../scripts/reasons/typescript.ts";

const server: ReasonRow = {
  name: "REQUEST_ID_REUSED",
  meaning: "It is a|b.",
  code: "already_exists",
  status: 409,
  text: "request id reused",
  retry: "again",
  retryMs: 250,
  leavesOpen: false,
  bareCode: true,
  exitCode: 1,
  advice: 'Say "no".',
  cliAdvice: "Say no.",
};
const client: ReasonRow = {
  name: "CONNECTION_LOST",
  meaning: "It broke.",
  code: "unavailable",
  status: undefined,
  text: "",
  retry: "attach",
  retryMs: undefined,
  leavesOpen: true,
  bareCode: true,
  exitCode: 6,
  advice: "Look.",
  cliAdvice: undefined,
};
const rows = [server, client];

describe("what is generated from the reasons", () => {
  it("is TypeScript that has each rule of a reason once", () => {
    const text = typescriptFile("example.com", rows);
    expect(text).toContain('export const ERROR_DOMAIN = "example.com";');
    expect(text).toContain(
      '  REQUEST_ID_REUSED: { code: "already_exists", status: 409, text: "request id reused", retry: "again", retryMs: 250 },',
    );
    expect(text).toMatch(/clientReasons = \{\n {2}CONNECTION_LOST: "unavailable",\n\}/);
    expect(text).toMatch(/againReasons: [^=]+ = \[\n {2}"REQUEST_ID_REUSED",\n\]/);
    expect(text).toMatch(/attachReasons: [^=]+ = \[\n {2}"CONNECTION_LOST",\n\]/);
    expect(text).toMatch(/openReasons: [^=]+ = \[\n {2}"CONNECTION_LOST",\n\]/);
    expect(text).toMatch(
      /bareCodes = \{\n {2}already_exists: "REQUEST_ID_REUSED",\n {2}unavailable: "CONNECTION_LOST",\n\}/,
    );
    expect(text).toContain('  REQUEST_ID_REUSED: "Say \\"no\\".",\n  CONNECTION_LOST: "Look.",');
    expect(text).toMatch(/cliAdvice: [^=]+ = \{\n {2}REQUEST_ID_REUSED: "Say no\.",\n\}/);
    expect(text).toMatch(/exitCodes = \{\n {2}REQUEST_ID_REUSED: 1,\n {2}CONNECTION_LOST: 6,\n\}/);
  });

  it("is Go that names the reasons of servers as Go spells names", () => {
    const text = goFile("example.com", rows);
    expect(text).toContain('const domain = "example.com"');
    expect(text).toContain('\tReasonRequestIDReused = "REQUEST_ID_REUSED"\n');
    expect(text).toMatch(/transientReasons = map\[string\]bool\{\n\tReasonRequestIDReused: true,\n\}/);
    expect(text).toContain("\tconnect.CodeAlreadyExists: ReasonRequestIDReused,\n");
    expect(text).not.toContain("CONNECTION_LOST");
    expect(text).not.toContain("ReasonConnectionLost");
  });

  it("is a page whose tables are made anew and whose words stay", () => {
    const table = (name: string) =>
      `<!-- ${name}: made by npm run generate from proto/valinor/v1/reasons.proto -->\nold\n<!-- end -->\n`;
    const page = `Before.\n${table("server's reasons")}Between.\n${table("clients' reasons")}After.\n`;
    const made = markdownPage(rows, page);
    expect(made.replaceAll(/^(\||<).*\n/gm, "")).toBe("Before.\nBetween.\nAfter.\n");
    expect(made).toContain(
      '| REQUEST_ID_REUSED | already_exists | 409 | request id reused | It is a\\|b. | Say "no". | again | 1 |',
    );
    expect(made).toContain("| CONNECTION_LOST | unavailable | It broke. | Look. | attach | 6 |");
    expect(markdownPage(rows, made)).toBe(made);
    expect(() => markdownPage(rows, "Before.\n")).toThrow("no place");
  });
});
