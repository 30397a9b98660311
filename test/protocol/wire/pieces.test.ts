import { expect, test } from "vitest";
import { createFrameDecoder } from "../../../protocol/wire/decoder.ts";
import type { Frame } from "../../../protocol/wire/frame.ts";
import { createPieces, PIECE_BYTES } from "../../../protocol/wire/pieces.ts";

/** A frame as bytes whose content has so many characters. */
function frameOf(characters: number, fill = "x"): Buffer {
  const body = Buffer.from(`{"type":"chunk","id":"1","payload":{"content":"${fill.repeat(characters)}"}}`);
  const bytes = Buffer.alloc(4 + body.length);
  bytes.writeUInt32BE(body.length);
  body.copy(bytes, 4);
  return bytes;
}

test.each([10, 5_000, 16_300, 70_000, 300_000, 4_000_000])(
  "a frame with %d characters is the same however it was cut",
  (characters) => {
    for (const cut of [1_021, 65_536, 1_000_000]) {
      const frames: Frame[] = [];
      const decoder = createFrameDecoder((frame) => frames.push(frame));
      const bytes = Buffer.concat([frameOf(characters, "a"), frameOf(characters, "b")]);
      for (let at = 0; at < bytes.length; at += cut) decoder.push(bytes.subarray(at, at + cut));
      expect(frames.map(({ payload }) => String(payload["content"]).length)).toEqual([
        characters,
        characters,
      ]);
      expect(frames.map(({ payload }) => String(payload["content"]).at(-1))).toEqual(["a", "b"]);
    }
  },
);

test("the memory of a large frame that was given up is used for the next one", () => {
  const first = createPieces(10 * PIECE_BYTES);
  first.add(Buffer.alloc(PIECE_BYTES, 1), 0, PIECE_BYTES);
  const memory = first.whole().buffer;
  first.release();
  const second = createPieces(10 * PIECE_BYTES);
  second.add(Buffer.alloc(100, 2), 0, 100);
  expect(second.whole().buffer).toBe(memory);
  second.release();
});

test("a decoder that is dropped gives the memory of its incomplete frame back", () => {
  const held: Buffer[] = [];
  const decoder = createFrameDecoder(() => {});
  decoder.push(frameOf(200_000).subarray(0, 150_000));
  decoder.drop();
  const pieces = createPieces(3 * PIECE_BYTES);
  for (let i = 0; i < 3; i++) held.push(Buffer.alloc(PIECE_BYTES, i));
  for (const bytes of held) pieces.add(bytes, 0, bytes.length);
  expect(pieces.whole()).toEqual(Buffer.concat(held));
  pieces.release();
});

test("memory that a frame takes follows what has come", () => {
  const told: number[] = [];
  const decoder = createFrameDecoder(() => {}, { onPartial: (bytes) => void told.push(bytes) });
  const bytes = frameOf(4_000_000);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    decoder.push(bytes.subarray(at, at + PIECE_BYTES));
    const most = Math.min(at + 2 * PIECE_BYTES, bytes.length + PIECE_BYTES);
    expect(told.at(-1)).toBeLessThanOrEqual(most);
  }
  expect(told.at(-1)).toBe(0);
});
