import { describe, expect, it } from "vitest";
import { advice, clientReasons, exitCodes, serverReasons } from "../../gen/ts/reasons.ts";
import released from "./released-reasons.json" with { type: "json" };

describe("a reason that was released", () => {
  it.each(Object.entries(released))(
    "%s keeps its codes, its text and what clients do about it",
    (reason, row) => {
      const { retryMs, ...now } = {
        retryMs: undefined,
        ...serverReasons[reason as keyof typeof serverReasons],
      };
      const exitCode = exitCodes[reason as keyof typeof exitCodes];
      expect({ ...now, ...(retryMs !== undefined && { retry_ms: retryMs }), exit_code: exitCode }).toEqual(
        row,
      );
    },
  );
});

describe("every reason", () => {
  it("of the server stands in released-reasons.json, so that a change of it is seen", () => {
    expect(Object.keys(released)).toEqual(Object.keys(serverReasons));
  });

  it("has advice that is a sentence", () => {
    expect(Object.entries(advice).filter(([, text]) => !/^[A-Z].*[.]$/.test(text))).toEqual([]);
  });

  it("of a client is none of the server's", () => {
    for (const reason of Object.keys(clientReasons)) expect(serverReasons).not.toHaveProperty(reason);
  });
});
