import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { errorRow, reasons } from "../../src/core/errors.ts";

const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");
const rows = (page.split("<!-- end -->")[0] ?? "")
  .split("\n")
  .filter((line) => /^\| [A-Z_]+ \|/.test(line))
  .map((line) => line.split("|").map((cell) => cell.trim()));

test("docs/errors.md has the rows of the error table, in its order", () => {
  const documented = rows.map(([, reason, code, status, text]) => ({
    reason,
    code,
    status: Number(status),
    text,
  }));
  const expected = reasons.map((reason) => {
    const { code, status, text } = errorRow(reason);
    return { reason, code, status, text };
  });
  expect(documented).toEqual(expected);
});

test("docs/errors.md says of every reason what it means and what to do", () => {
  for (const [, , , , , meaning, advice] of rows) {
    expect(meaning).not.toBe("");
    expect(advice).not.toBe("");
  }
});
