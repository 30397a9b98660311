import { expect, it } from "vitest";
import { parseDuration } from "../../../cli/terminal/duration.ts";

it.each([
  ["90s", 90_000],
  ["15m", 900_000],
  ["12h", 43_200_000],
  ["30d", 2_592_000_000],
])("the duration %s is %i ms", (text, ms) => {
  expect(parseDuration(text, "--older-than")).toBe(ms);
});

it.each(["", "0s", "05m", "1", "1w", "1.5h", " 1h", "1h ", "-1h", "1000000s"])(
  "the duration %j is refused with its flag, and exit code 2",
  (text) => {
    expect(() => parseDuration(text, "--older-than")).toThrow(
      expect.objectContaining({
        exitCode: 2,
        message: `--older-than must be like 15m, 12h or 30d, not ${text}`,
      }),
    );
  },
);
