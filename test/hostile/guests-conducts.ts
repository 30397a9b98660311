import { type Conduct, frameOfText, type GuestSession } from "./guests-session.ts";

const MIB = 1024 * 1024;
const WINDOW = 256 * 1024;

/** A payload with many keys. */
const manyKeys = (keys: number) =>
  JSON.stringify(Object.fromEntries(Array.from({ length: keys }, (_, i) => [`key-${i}`, i])));

const text = (length: number) => "x".repeat(length);

/** Sends the same bytes at a rate. */
const atRate = (ms: number, bytes: Buffer): Conduct => ({
  up: (session) => session.every(ms, () => session.raw(bytes)),
});

/** Sends chunks of a length as fast as credit allows, or faster. */
function flooding(length: number, asFarAs = (limit: number) => limit): Conduct {
  const sent = new Map<string, { bytes: number; sequence: number }>();
  const content = text(length);
  function go(session: GuestSession, id: string, limit: number): void {
    const run = sent.get(id);
    if (run === undefined) return;
    const parts: Buffer[] = [];
    while (run.bytes < asFarAs(limit)) {
      const payload = `{"content":"${content}","done":false,"sequence":${++run.sequence}}`;
      const bytes = frameOfText("chunk", id, payload);
      run.bytes += bytes.length;
      parts.push(bytes);
    }
    session.raw(Buffer.concat(parts));
  }
  return {
    asked: true,
    message(session, id) {
      session.opened(id);
      sent.set(id, { bytes: 200, sequence: 0 });
      go(session, id, WINDOW);
    },
    credit: go,
  };
}

/** Answers every message wrongly. */
const answering = (wrong: (session: GuestSession, id: string) => void): Conduct => ({
  asked: true,
  message(session, id) {
    session.opened(id);
    wrong(session, id);
  },
});

/** All but the last byte of a frame of so many bytes. */
function partOf(bytes: number): Buffer {
  const part = Buffer.alloc(bytes + 3, 0x20);
  part.writeUInt32BE(bytes);
  return part;
}

const deep = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;

/** What hostile guests do, by name. */
export const conducts: { readonly [name: string]: Conduct } = {
  silent: {},
  "heartbeats, 45 a second of 700 bytes": {
    up: (session) => session.every(22, () => session.heartbeat(500)),
  },
  "heartbeats, 45 a second of 60 KB": {
    up: (session) => session.every(22, () => session.heartbeat(60_000)),
  },
  "heartbeats, 1,000 a second": {
    up: (session) => session.every(10, () => Array.from({ length: 10 }, () => session.heartbeat())),
  },
  "pings, 50 a second": atRate(20, frameOfText("ping", "p", "{}")),
  "pings, 1,900 a second": atRate(10, Buffer.concat(Array(19).fill(frameOfText("ping", "p", "{}")))),
  "frames of an unknown type, 17 a second with 49,000 keys": atRate(
    60,
    frameOfText("gossip", "", manyKeys(49_000)),
  ),
  "frames of an unknown type, within the bound of a link": atRate(
    200,
    frameOfText("gossip", "", manyKeys(3_500)),
  ),
  "tiny frames of an unknown type, 1,900 a second": atRate(
    10,
    Buffer.concat(Array(19).fill(frameOfText("gossip", "", "{}"))),
  ),
  "answers to others' messages": {
    asked: true,
    up: (session) =>
      session.every(50, () => {
        for (const id of [...session.allIds].slice(-5)) session.chunk(id, 2, "not yours");
      }),
  },
  "all but one byte of 4 MiB": { up: (session) => session.raw(partOf(4 * MIB)) },
  "all but one byte of 4 MiB, while a message is read": {
    asked: true,
    message(session, id) {
      session.opened(id);
      session.raw(partOf(4 * MIB));
    },
  },
  "one byte a second": {
    up(session) {
      session.raw(Buffer.from([0, 0, 0x40, 0]));
      session.every(1_000, () => session.raw(Buffer.from(" ")));
    },
  },
  "links that end as soon as they are up": { up: (session) => session.destroy() },
  "links that end before the hello": {
    up: (session) => session.destroy(),
    accepted(session) {
      session.destroy();
      return true;
    },
  },
  "links that end, and no hello after them": { up: (session) => session.destroy(), accepted: () => true },
  "links that end, and a hello of a byte a second after them": {
    up: (session) => session.destroy(),
    accepted(session) {
      session.raw(Buffer.from([0, 0, 0, 0x40]));
      session.every(1_000, () => session.raw(Buffer.from(" ")));
      return true;
    },
  },
  "one stream each, flooding within its credit": flooding(60),
  "one stream each of long chunks, flooding within its credit": flooding(60_000),
  "streams that go beyond their credit": flooding(1_000, (limit) => limit + 2 * MIB),
  "streams without an end": answering((session, id) =>
    session.every(5, () => session.send("progress", id, "{}")),
  ),
  "sequences with gaps": answering((session, id) => {
    for (let i = 1; i < 100; i += 2) session.chunk(id, i, "lie");
  }),
  "sequences beyond every number": answering((session, id) => session.chunk(id, 1e300, "far")),
  "opened twice, and before it is asked": {
    asked: true,
    up: (session) => session.opened("00000000000000000000000000000000"),
    message(session, id) {
      session.opened(id);
      session.opened(id);
    },
  },
  "fields of the wrong type": answering((session, id) =>
    session.send("chunk", id, `{"content":{"a":[]},"done":"no","sequence":"1"}`),
  ),
  "answers nested 60 deep": answering((session, id) => session.send("progress", id, `{"a":${deep(60)}}`)),
  "answers nested 100,000 deep": answering((session, id) =>
    session.send("progress", id, `{"a":${deep(100_000)}}`),
  ),
  "answers with 49,000 keys": answering((session, id) => session.send("progress", id, manyKeys(49_000))),
  "answers with 1,800 keys, again and again": answering((session, id) =>
    session.every(10, () => session.send("progress", id, manyKeys(1_800))),
  ),
};
