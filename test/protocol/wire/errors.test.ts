import { expect, it } from "vitest";
import { LinkError } from "../../../protocol/wire/errors.ts";

it("an error of the link stays what it is, whatever it is taken for", () => {
  const error = new LinkError("busy", "full");
  expect(LinkError.from(error, "closed")).toBe(error);
});

it("anything else that was thrown becomes an error of the given code, with its words and itself as the cause", () => {
  const cause = new Error("ECONNRESET");
  expect(LinkError.from(cause, "interrupted")).toMatchObject({
    code: "interrupted",
    message: "ECONNRESET",
    cause,
  });
});

it("an error of the link without a cause has none", () => {
  expect(Object.hasOwn(new LinkError("closed", "over"), "cause")).toBe(false);
});
