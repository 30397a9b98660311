import { describe, expect, it } from "vitest";
import type { Leaving, ReadableRun } from "../../../../protocol/link/guest/ports.ts";
import { Reader, type ReaderLink } from "../../../../protocol/link/guest/reader.ts";
import { encodeFrameJson } from "../../../../protocol/wire/frame.ts";
import type { FrameType } from "../../../../protocol/wire/vocabulary.ts";

const OPENED = '{"boot_id":"b"}';
const sizeOf = (type: FrameType, json: string) => encodeFrameJson(type, "x", json).length;

/** A run and a link that are the test's, and a reader between them. */
class Scene implements ReaderLink {
  readonly sent: string[] = [];
  readonly errors: unknown[] = [];
  readonly left: { how: Leaving; now: number }[] = [];
  readonly settled: number[] = [];
  overs = 0;
  room = Infinity;
  readonly events: string[] = [];
  readonly run = {
    life: "l",
    accepted: true as boolean,
    ended: false as boolean,
    journal: {
      next: 1,
      event: (sequence: number) => {
        const json = this.events[sequence - 1];
        return json === undefined ? undefined : { type: "chunk" as const, json };
      },
    },
    attach: () => {},
    leave: (_reader: unknown, how: Leaving, now: number) => void this.left.push({ how, now }),
    settle: (now: number) => void this.settled.push(now),
  } satisfies ReadableRun;
  readonly reader: Reader;

  constructor(credit = Infinity, next = 1) {
    this.reader = new Reader(this, this.run, { id: "x", next, credit, opened: OPENED });
  }

  offer(frame: Buffer): boolean {
    if (this.room === 0) return false;
    this.room--;
    const { type, payload } = JSON.parse(frame.subarray(4).toString()) as { type: string; payload: object };
    this.sent.push(type === "chunk" ? JSON.stringify(payload) : type);
    return true;
  }

  error(...args: unknown[]): void {
    this.errors.push(args);
  }

  over(): void {
    this.overs++;
  }

  /** The run gets events; the last one is terminal if `ends`. */
  says(count: number, ends = false): void {
    for (let i = 0; i < count; i++) this.events.push(`{"n":${this.events.length + 1}}`);
    this.run.journal.next = this.events.length + 1;
    this.run.ended = ends;
  }
}

describe("a reader of a run", () => {
  it("says `opened` once, then each event once and in order", () => {
    const scene = new Scene();
    scene.says(2);
    scene.reader.pump(1);
    scene.says(1);
    scene.reader.pump(2);
    scene.reader.pump(3);
    expect(scene.sent).toEqual(["opened", '{"n":1}', '{"n":2}', '{"n":3}']);
    expect([scene.reader.next, scene.overs]).toEqual([4, 0]);
  });

  it("begins with the event that it is asked for", () => {
    const scene = new Scene(Infinity, 3);
    scene.says(3);
    scene.reader.pump(1);
    expect(scene.sent).toEqual(["opened", '{"n":3}']);
  });

  it("says nothing before the run is accepted", () => {
    const scene = new Scene();
    scene.run.accepted = false;
    scene.says(1);
    scene.reader.pump(1);
    scene.reader.progress();
    expect(scene.sent).toEqual([]);
  });

  it("leaves after the last event of a run that has ended, and says nothing more", () => {
    const scene = new Scene();
    scene.says(2, true);
    scene.reader.pump(7);
    expect([scene.left, scene.overs]).toEqual([[{ how: "detached", now: 7 }], 1]);
    scene.says(1, true);
    scene.reader.pump(8);
    scene.reader.progress();
    scene.reader.refuse("busy", "no", 8);
    scene.reader.leave("lost", 8);
    expect(scene.sent).toEqual(["opened", '{"n":1}', '{"n":2}']);
    expect([scene.errors, scene.left.length, scene.overs]).toEqual([[], 1, 1]);
  });

  it("stays at the end of what there is while the run goes on", () => {
    const scene = new Scene();
    scene.says(2);
    scene.reader.pump(1);
    expect(scene.left).toEqual([]);
  });

  it("goes on where it stopped when the link has room again, and the run hears of it", () => {
    const scene = new Scene();
    scene.says(3);
    scene.room = 2;
    scene.reader.pump(1);
    expect(scene.sent).toEqual(["opened", '{"n":1}']);
    expect(scene.reader.next).toBe(2);
    scene.room = Infinity;
    scene.reader.resume(9);
    expect(scene.sent).toEqual(["opened", '{"n":1}', '{"n":2}', '{"n":3}']);
    expect(scene.settled).toEqual([9]);
  });

  it("sends `opened` again if the link had no room for it", () => {
    const scene = new Scene();
    scene.room = 0;
    scene.reader.pump(1);
    scene.room = Infinity;
    scene.reader.pump(2);
    expect(scene.sent).toEqual(["opened"]);
  });
});

describe("the credit of a reader", () => {
  it("of 0 covers nothing", () => {
    const scene = new Scene(0);
    scene.says(1);
    scene.reader.pump(1);
    expect(scene.sent).toEqual([]);
  });

  it("covers a frame that begins below the limit, however long, and none that begins at it", () => {
    const opened = sizeOf("opened", OPENED);
    const scene = new Scene(opened);
    scene.says(1);
    scene.reader.pump(1);
    expect(scene.sent).toEqual(["opened"]);
    scene.reader.credit(opened + 1, 2);
    expect(scene.sent).toEqual(["opened", '{"n":1}']);
    expect(scene.settled).toEqual([2]);
  });

  it("counts all that was sent, from the first frame on", () => {
    const scene = new Scene(sizeOf("opened", OPENED) + sizeOf("chunk", '{"n":1}'));
    scene.says(2);
    scene.reader.pump(1);
    expect(scene.sent).toEqual(["opened", '{"n":1}']);
  });

  it("never falls: a lower limit, or the same again, changes nothing", () => {
    const opened = sizeOf("opened", OPENED);
    const scene = new Scene(opened + 1);
    scene.reader.credit(opened, 1);
    scene.reader.credit(opened + 1, 1);
    expect([scene.sent, scene.settled]).toEqual([[], []]);
    scene.says(1);
    scene.reader.pump(2);
    expect(scene.sent).toEqual(["opened", '{"n":1}']);
  });

  it("is spent by signs of life too", () => {
    const scene = new Scene(sizeOf("opened", OPENED) + 1);
    scene.reader.pump(1);
    scene.reader.progress();
    scene.reader.progress();
    expect(scene.sent).toEqual(["opened", "progress"]);
  });
});

describe("a reader that is ended from outside", () => {
  it("by a refusal tells its host, and leaves as one that may come back", () => {
    const scene = new Scene();
    scene.reader.refuse("busy", "too slow", 5);
    expect(scene.errors).toEqual([["x", "busy", "too slow"]]);
    expect([scene.left, scene.overs]).toEqual([[{ how: "lost", now: 5 }], 1]);
    scene.reader.refuse("busy", "again", 6);
    expect(scene.errors).toHaveLength(1);
  });

  it.each(["detached", "lost"] as const)("as %s leaves once, and sends nothing more", (how) => {
    const scene = new Scene();
    scene.says(1);
    scene.reader.leave(how, 5);
    scene.reader.leave(how, 6);
    scene.reader.pump(7);
    expect([scene.left, scene.overs, scene.sent]).toEqual([[{ how, now: 5 }], 1, []]);
  });
});
