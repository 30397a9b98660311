import { describe, expect, it } from "vitest";
import { hideSecrets } from "../../src/fleet/hide-secrets.ts";

/** What hides these secrets. */
function hiding(...secrets: string[]) {
  return hideSecrets({ list: secrets.map(() => "secret:sealed") }, { list: secrets });
}

describe("what a guest says of a configuration with secrets", () => {
  it("is shown without them, as they are and as JSON has them", () => {
    const hide = hiding('say "x"', "say");
    expect(hide('no: say "x" and {"a":"say \\"x\\""}')).toBe('no: [redacted] and {"a":"[redacted]"}');
  });

  it("is shown with one mark for a secret that is a part of the mark", () => {
    expect(hiding("redacted", "acte", "reda")("the reda is redacted")).toBe("the [redacted] is [redacted]");
  });

  it("is not shown if it is so long that the search would keep the program busy", () => {
    const secrets = Array.from({ length: 1_000 }, (_, n) => `secret-number-${n}`);
    const text = `secret-number-7${"x".repeat(4_000_000)}`;
    expect(hiding(...secrets)(text)).toBe(`(a text of ${text.length} characters)`);
  });

  it("is left as it is if there are none", () => {
    const text = "x".repeat(10_000);
    expect(hiding()(text)).toBe(text);
  });
});
