import { describe, expect, it } from "vitest";
import { readUsage } from "../../../../agent/openclaw/answer/usage.ts";

const counts = { prompt_tokens: 1, completion_tokens: 2, total_tokens: 4 };

describe("the token counts of an answer", () => {
  it.each([
    ["usage", { usage: counts }],
    ["x_groq", { x_groq: { usage: counts } }],
    ["the first choice", { choices: [{ usage: counts }, {}] }],
    ["the first place that has some", { usage: {}, x_groq: 7, choices: [{ usage: counts }] }],
  ])("are read from %s", (_, answer) => {
    expect(readUsage(answer)).toEqual(counts);
  });

  it.each([
    {},
    { usage: null },
    { usage: [] },
    { usage: {} },
    { usage: { total_tokens: "many" } },
    { choices: [] },
  ])("are none in %j", (answer) => {
    expect(readUsage(answer)).toBeUndefined();
  });

  it("may be called input and output tokens; a total that is missing is the sum", () => {
    expect(readUsage({ usage: { input_tokens: 3, output_tokens: 4 } })).toEqual({
      prompt_tokens: 3,
      completion_tokens: 4,
      total_tokens: 7,
    });
    expect(readUsage({ usage: { completion_tokens: 4 } })).toMatchObject({
      prompt_tokens: 0,
      total_tokens: 4,
    });
    expect(readUsage({ usage: { total_tokens: 4 } })).toMatchObject({
      completion_tokens: 0,
      total_tokens: 4,
    });
  });

  it("are whole numbers that fit into a uint32, whatever the server writes", () => {
    const usage = { prompt_tokens: " 12 ", completion_tokens: 1.6, total_tokens: 1e12 };
    expect(readUsage({ usage })).toEqual({
      prompt_tokens: 12,
      completion_tokens: 2,
      total_tokens: 0xffffffff,
    });
    expect(readUsage({ usage: { prompt_tokens: 0xffffffff, completion_tokens: 1 } })).toMatchObject({
      total_tokens: 0xffffffff,
    });
    expect(readUsage({ usage: { prompt_tokens: -1, completion_tokens: " ", total_tokens: 5 } })).toEqual({
      prompt_tokens: 0,
      completion_tokens: 0,
      total_tokens: 5,
    });
  });
});
