import { expect, it } from "vitest";
import { port } from "../../../cli/terminal/port.ts";

it("a port is a number from 0 to 65535", () => {
  expect(["0", "8080", "65535"].map(port)).toEqual([0, 8080, 65_535]);
  for (const text of ["", "-1", "65536", "1.5", "0x10", "1e3", " 1", "a"])
    expect(() => port(text)).toThrow("A port is a number from 0 to 65535.");
});
