import { describe, expect, it } from "vitest";
import { humanLine } from "../../../cli/server/human-log.ts";

const TIME = /^\d\d:\d\d:\d\d /;
const shown = (line: object | string) =>
  humanLine(typeof line === "string" ? line : JSON.stringify(line)).replace(TIME, "");

describe("a line of the log at a terminal", () => {
  it("has the time, the level, the source, the text and what else there is", () => {
    expect(humanLine('{"level":30,"msg":"listening"}')).toMatch(TIME);
    expect(
      shown({
        level: 40,
        time: 1,
        pid: 2,
        hostname: "h",
        msg: "link down",
        agent: "a",
        tries: 2,
        more: { x: 1 },
      }),
    ).toBe('warn  valinor: link down agent=a tries=2 more={"x":1}\n');
    expect(shown({ level: 30, name: "agent", msg: "ready" })).toBe("info  agent: ready\n");
  });

  it("shows of an error its message alone", () => {
    expect(shown({ level: 50, msg: "failed", err: { message: "no", stack: "at x" } })).toBe(
      'error valinor: failed err="no"\n',
    );
  });

  it("takes a level that it does not know for info", () => {
    expect(shown({ level: 35, msg: "x" })).toBe("info  valinor: x\n");
  });

  it.each(["Error: a crash", "7", "null", '"text"'])("that is no JSON object stays as it is: %s", (line) => {
    expect(shown(line)).toBe(`info  valinor: ${line}\n`);
  });

  it("never brings a control character to the terminal", () => {
    expect(shown({ level: 30, msg: "a\u001b[31mb\n\u009bc\u007f" })).toBe("info  valinor: a [31mb c\n");
  });

  it("is cut if it is too long", () => {
    const line = shown({ level: 30, msg: "x".repeat(1_000) });
    expect([line.length, line.endsWith("...\n")]).toEqual([6 + 400 + 4, true]);
  });
});
