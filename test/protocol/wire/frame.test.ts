import { describe, expect, it } from "vitest";
import { encodeFrame, encodeFrameJson } from "../../../protocol/wire/frame.ts";
import { limits } from "../../../protocol/wire/limits.ts";

describe("an encoded frame", () => {
  it("begins with the bytes of its JSON as a big-endian number of four bytes", () => {
    const frame = encodeFrame("chunk", "ä", { content: "€" });
    expect(frame.readUInt32BE(0)).toBe(frame.length - 4);
    expect(frame.toString("utf8", 4)).toBe('{"type":"chunk","id":"ä","payload":{"content":"€"}}');
  });

  it("escapes an id that is not plain", () => {
    expect(JSON.parse(encodeFrame("ping", 'a"b\n', {}).toString("utf8", 4))).toEqual({
      type: "ping",
      id: 'a"b\n',
      payload: {},
    });
  });

  it("may have 4 MiB of JSON, and not a byte more", () => {
    const rest = encodeFrameJson("chunk", "a", '""').length - 4;
    const text = (bytes: number) => `"${"x".repeat(bytes)}"`;
    expect(encodeFrameJson("chunk", "a", text(limits.frameBytes - rest))).toHaveLength(4 + limits.frameBytes);
    expect(() => encodeFrameJson("chunk", "a", text(limits.frameBytes - rest + 1))).toThrow(
      expect.objectContaining({
        code: "frame_too_large",
        message: `a chunk frame of ${limits.frameBytes + 1} bytes is over the limit of ${limits.frameBytes}`,
      }),
    );
  });
});
