import { describe, expect, it } from "vitest";
import { Failure } from "../../../../protocol/link/guest/failure.ts";

describe("a failure of a guest", () => {
  it("has a code, a text and, if there is one, a cause", () => {
    const cause = new Error("why");
    expect(new Failure("busy", "full", cause)).toMatchObject({ code: "busy", message: "full", cause });
    expect(Object.hasOwn(new Failure("busy", "full"), "cause")).toBe(false);
  });

  it("stays what it is if it was thrown as one", () => {
    const failure = new Failure("busy", "full");
    expect(Failure.from(failure)).toBe(failure);
  });

  it("is `internal` for whatever else was thrown, whose text no peer hears", () => {
    for (const thrown of [new TypeError("secret"), "secret", 7]) {
      const failure = Failure.from(thrown);
      expect([failure.code, failure.message, failure.cause]).toEqual([
        "internal",
        "the agent failed",
        thrown,
      ]);
    }
  });
});
