import { expect, it } from "vitest";
import { formatTable } from "../../../cli/terminal/table.ts";

it("a table has aligned columns, and no blanks at the end of a line", () => {
  expect(
    formatTable([
      ["ID", "STATE", ""],
      ["a", "up", ""],
      ["longer", "d", "x"],
    ]),
  ).toBe("ID      STATE\na       up\nlonger  d      x\n");
  expect(formatTable([])).toBe("");
});
