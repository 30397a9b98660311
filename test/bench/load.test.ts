import { describe, expect, it } from "vitest";
import { completion, eventOf, requestBody, AT_ONCE } from "../../bench/gateway/script.ts";
import { isComplete } from "../../bench/load-unary.ts";
import { CHUNK_BYTES, chunkText, MARK } from "../../bench/text.ts";

describe("isComplete", () => {
  it("knows a response with a length by its length", () => {
    const head = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\nx: y\r\n\r\n";
    expect([head, `${head}ab`, `${head}abc`].map(isComplete)).toEqual([false, false, true]);
    expect(isComplete("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n")).toBe(false);
  });

  it("knows a response in chunks by its last chunk", () => {
    const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    expect([`${head}3\r\nabc\r\n`, `${head}3\r\nabc\r\n0\r\n\r\n`].map(isComplete)).toEqual([false, true]);
  });
});

describe("chunkText", () => {
  it("has the bytes that are asked for and one mark, at its end", () => {
    for (const bytes of [1, CHUNK_BYTES, 60_000]) {
      const text = chunkText(bytes);
      expect(Buffer.byteLength(text)).toBe(bytes);
      expect(text.indexOf(MARK)).toBe(bytes - 1);
    }
  });
});

describe("the scripted model of the gateways", () => {
  it("marks each chunk and each whole answer once, and no end and no request", () => {
    const marks = (text: string) => text.split(MARK).length - 1;
    expect(
      [eventOf(chunkText(60)), completion(), eventOf(undefined), requestBody(true, "m")].map(marks),
    ).toEqual([1, 1, 0, 0]);
  });

  it("is told by the message to answer at once unless the client streams", () => {
    expect(requestBody(false, "m")).toContain(AT_ONCE);
    expect(requestBody(true, "m")).not.toContain(AT_ONCE);
  });
});
