import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createEnvelopeSplitter, type Envelope, seal } from "../../../src/rpc/messages/envelopes.ts";

const bytesOf = (envelopes: readonly Envelope[]) => envelopes.map(({ flags, data }) => [flags, ...data]);

describe("a stream of envelopes", () => {
  it("is the same in whatever pieces it comes", () => {
    const message = fc.record({ flags: fc.nat(255), data: fc.uint8Array({ maxLength: 300 }) });
    fc.assert(
      fc.property(
        fc.array(message, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 400 })),
        (sent, cuts) => {
          const splitter = createEnvelopeSplitter(300);
          const stream = Buffer.concat(sent.map(({ flags, data }) => seal(flags, data)));
          const got: Envelope[] = [];
          let at = 0;
          for (const cut of [...cuts, stream.length]) {
            got.push(...splitter.push(stream.subarray(at, at + cut)));
            at += cut;
          }
          expect(bytesOf(got)).toEqual(bytesOf(sent));
          expect(splitter.partial).toBe(false);
        },
      ),
    );
  });

  it("is refused by a length over the bound, before any of that message has come", () => {
    const splitter = createEnvelopeSplitter(1_000);
    expect(() => splitter.push(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]))).toThrow(/at most 1000 bytes/);
  });

  it("makes no room for what a length promises", () => {
    const before = process.memoryUsage().arrayBuffers;
    const splitters = Array.from({ length: 1_000 }, () => createEnvelopeSplitter(4 * 1024 * 1024));
    for (const splitter of splitters) splitter.push(Buffer.from([0, 0, 0x40, 0, 0, 1]));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    expect(splitters[0]?.partial).toBe(true);
  });

  it("costs no more if it comes byte by byte", () => {
    const splitter = createEnvelopeSplitter(1024 * 1024);
    const sealed = seal(0, Buffer.alloc(300_000, "x"));
    const before = process.cpuUsage();
    let count = 0;
    for (let at = 0; at < sealed.length; at++) count += splitter.push(sealed.subarray(at, at + 1)).length;
    const { user } = process.cpuUsage(before);
    expect(count).toBe(1);
    // To look through all pieces for each of them takes minutes.
    expect(user).toBeLessThan(5_000_000);
  });
});
