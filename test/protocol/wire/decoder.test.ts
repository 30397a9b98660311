import fc from "fast-check";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createFrameDecoder } from "../../../protocol/wire/decoder.ts";
import { encodeFrame, encodeFrameJson } from "../../../protocol/wire/frame.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { frameTypes } from "../../../protocol/wire/vocabulary.ts";
import { cut, decode, rawFrame, refusal } from "./pieces.ts";

/** Any string of UTF-16 units, lone surrogates too. */
const anyString = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((c) => String.fromCharCode(c)) });
const anyFrame = fc.record({
  type: fc.constantFrom(...frameTypes),
  id: anyString.filter((id) => id.length <= limits.idLength),
  payload: fc.dictionary(anyString, fc.jsonValue({ maxDepth: 5 }), { maxKeys: 5 }),
});

afterEach(() => {
  vi.restoreAllMocks();
});

describe("frames", () => {
  test("come back as they were encoded, whatever their strings hold", () => {
    fc.assert(
      fc.property(anyFrame, anyString, ({ type, id, payload }, text) => {
        const sent = JSON.parse(JSON.stringify({ ...payload, text })) as object;
        const bytes = encodeFrame(type, id, sent);
        expect(decode(bytes)).toStrictEqual([{ type, id, payload: sent, size: bytes.length }]);
      }),
    );
  });

  test("are the same however the stream is cut into pieces", () => {
    const lengths = fc.array(fc.oneof(fc.integer({ min: 0, max: 9 }), fc.nat(300)), { maxLength: 60 });
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 6 }), lengths, (frames, lengths) => {
        const stream = Buffer.concat(frames.map(({ type, id, payload }) => encodeFrame(type, id, payload)));
        expect(decode(...cut(stream, lengths))).toStrictEqual(decode(stream));
      }),
    );
  });

  test("are the same wherever a stream is cut in two", () => {
    const stream = Buffer.concat([
      encodeFrame("chunk", "a", { content: "Grüße 😀".repeat(20), done: false }),
      encodeFrame("pong", "b", {}),
    ]);
    const whole = decode(stream);
    for (let at = 0; at <= stream.length; at++) {
      expect(decode(stream.subarray(0, at), stream.subarray(at))).toStrictEqual(whole);
    }
  });

  test("do not change when the reader's buffer is used again", () => {
    const bytes = encodeFrame("chunk", "a", { content: "kept", done: false });
    const [frame] = decode(bytes);
    bytes.fill(0);
    expect(frame?.payload).toStrictEqual({ content: "kept", done: false });
  });

  test("over 4 MiB are not encoded, one of exactly 4 MiB is", () => {
    const fits = limits.frameBytes - encodeFrameJson("chunk", "a", '""').length + 4;
    expect(encodeFrameJson("chunk", "a", `"${"x".repeat(fits)}"`)).toHaveLength(limits.frameBytes + 4);
    expect(() => encodeFrameJson("chunk", "a", `"${"x".repeat(fits + 1)}"`)).toThrowError(
      expect.objectContaining({ code: "frame_too_large" }),
    );
  });
});

describe("the decoder's work", () => {
  /** Bytes that Buffer.copy moves while `body` runs. */
  function countCopied(body: () => void): number {
    let copied = 0;
    // oxlint-disable-next-line typescript/unbound-method -- called with its buffer below
    const original = Buffer.prototype.copy;
    vi.spyOn(Buffer.prototype, "copy").mockImplementation(function (this: Buffer, ...args) {
      const moved = original.apply(this, args);
      copied += moved;
      return moved;
    });
    body();
    vi.restoreAllMocks();
    return copied;
  }

  test("copies each byte a bounded number of times, however small the pieces are", () => {
    const frame = encodeFrame("chunk", "a", { content: "x".repeat(256 * 1024), done: false });
    let frames = 0;
    const decoder = createFrameDecoder(() => frames++);
    const pieces = cut(frame, Array.from<number>({ length: Math.ceil(frame.length / 7) }).fill(7));
    const copied = countCopied(() => {
      for (const piece of pieces) decoder.push(piece);
    });
    expect(frames).toBe(1);
    expect(copied).toBeLessThan(3 * frame.length);
  });

  test("copies nothing of frames that arrive whole", () => {
    const frame = encodeFrame("chunk", "a", { content: "x".repeat(100), done: false });
    const many = Buffer.concat(Array.from({ length: 100 }, () => frame));
    let frames = 0;
    const decoder = createFrameDecoder(() => frames++);
    expect(countCopied(() => decoder.push(many))).toBe(0);
    expect(frames).toBe(100);
  });

  test("allocates by what has come, not by what a length promises", () => {
    const header = Buffer.from("00400000", "hex");
    const before = process.memoryUsage().arrayBuffers;
    const decoders = Array.from({ length: 100 }, () => createFrameDecoder(() => {}));
    for (const decoder of decoders) decoder.push(header);
    for (const decoder of decoders) decoder.push(Buffer.from("{"));
    const grown = process.memoryUsage().arrayBuffers - before;
    expect(decoders.every((decoder) => decoder.partial)).toBe(true);
    // 100 frames of 4 MiB are promised; 64 KiB for each is what a first byte costs.
    expect(grown).toBeLessThan(20 * 1024 * 1024);
  });

  test("refuses a length before any byte of the body came", () => {
    expect(refusal(Buffer.from("00400001", "hex"))).toBe("frame_too_large");
    expect(refusal(Buffer.from("ffffffff", "hex"))).toBe("frame_too_large");
    expect(refusal(Buffer.from("00000001", "hex"))).toBe("invalid_frame");
    expect(refusal(Buffer.from("00000000", "hex"))).toBe("invalid_frame");
    expect(refusal(Buffer.from("00400000", "hex"))).toBeUndefined();
  });

  test("hands on the frames before a broken one", () => {
    const got: string[] = [];
    const decoder = createFrameDecoder((frame) => got.push(frame.id));
    const stream = Buffer.concat([encodeFrame("pong", "good", {}), rawFrame("no JSON")]);
    expect(() => decoder.push(stream)).toThrowError(expect.objectContaining({ code: "invalid_frame" }));
    expect(got).toStrictEqual(["good"]);
  });
});

describe("hostile JSON", () => {
  test("a key __proto__ is a key like any other", () => {
    const [frame] = decode(
      rawFrame('{"type":"chunk","id":"a","__proto__":{"id":"b"},"payload":{"__proto__":{"done":true}}}'),
    );
    expect(frame?.id).toBe("a");
    expect(Object.getPrototypeOf(frame?.payload)).toBe(Object.prototype);
    expect(frame?.payload["done"]).toBeUndefined();
    expect(({} as { done?: unknown }).done).toBeUndefined();
  });

  test("what an envelope inherits does not count", () => {
    expect(refusal(rawFrame('{"__proto__":{"type":"chunk"},"id":"a"}'))).toBe("invalid_frame");
  });

  test("bytes that are not UTF-8 are refused, a replacement character that was sent is not", () => {
    const bad = Buffer.concat([Buffer.from('{"type":"x","id":"'), Buffer.from([0xc3]), Buffer.from('"}')]);
    expect(refusal(rawFrame(bad))).toBe("invalid_frame");
    expect(decode(rawFrame('{"type":"x","id":"\uFFFD"}'))[0]?.id).toBe("\uFFFD");
  });

  test("any bytes at all give frames or a LinkError, never another error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (body) => {
        expect([undefined, "invalid_frame"]).toContain(refusal(rawFrame(Buffer.from(body))));
      }),
    );
  });

  test("JSON without an envelope is no frame", () => {
    const noEnvelope = fc.json().filter((json) => {
      const value = JSON.parse(json) as { type?: unknown } | null;
      return typeof value !== "object" || typeof value?.type !== "string";
    });
    fc.assert(
      fc.property(
        noEnvelope.filter((json) => json.length > 1),
        (json) => {
          expect(refusal(rawFrame(json))).toBe("invalid_frame");
        },
      ),
    );
  });
});
