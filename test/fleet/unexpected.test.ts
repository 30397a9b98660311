import { expect, it } from "vitest";
import { KeptErrors } from "../helpers/unexpected.ts";

it("an error that nobody expects is logged with its stack the first time, and counted every time", () => {
  const errors = new KeptErrors();
  const fail = (text: string) => new TypeError(text);
  for (const text of ["one", "two", "three"])
    errors.note("something could not be done", fail(text), { agent: "a" });
  errors.note("something else could not be done", "no error at all");
  expect(errors.count).toBe(4);
  expect(errors.lines).toMatchObject([
    { text: "something could not be done", err: { message: "one", stack: expect.any(String) }, agent: "a" },
    { text: "something else could not be done", err: { message: "no error at all" } },
  ]);
});
