import { LinkError } from "@valinor/protocol";
import { describe, expect, it } from "vitest";
import { guests } from "../../../protocol/link/host/guest.ts";
import type { Frame } from "../../../protocol/wire/frame.ts";
import type { ValinorError } from "../../../src/core/errors.ts";
import type { OpenedRun } from "../../../src/core/runs/open-run.ts";
import { StoppableStream } from "../../../src/core/runs/run-stream.ts";
import { unseenRun } from "../../../src/core/runs/seen-runs.ts";
import { failureOf } from "../../link/connect.ts";

const chunk = (sequence: number, content: string): Frame => ({
  type: "chunk",
  id: "x",
  size: 50,
  payload: { content, done: false, sequence },
});
const done = (sequence: number): Frame => ({
  type: "chunk",
  id: "x",
  size: 50,
  payload: { content: "", done: true, sequence, finish_reason: "stop" },
});

/** An exchange whose frames a test gives. */
function fakeExchange() {
  let frames: Frame[] = [];
  let failure: LinkError | undefined;
  let isOver = false;
  let wake = () => {};
  const detached: LinkError[] = [];
  const exchange = {
    async take(): Promise<readonly Frame[] | undefined> {
      if (frames.length === 0 && !isOver) await new Promise<void>((resolve) => (wake = resolve));
      const taken = frames;
      frames = [];
      if (taken.length > 0) return taken;
      if (failure !== undefined) throw failure;
      return undefined;
    },
    fail(reason: LinkError): void {
      if (isOver) return;
      [failure, isOver] = [reason, true];
      wake();
    },
    detach(reason: LinkError): void {
      if (!isOver) detached.push(reason);
      exchange.fail(reason);
    },
  };
  const give = (frame: Frame, last = false) => {
    frames.push(frame);
    isOver ||= last;
    wake();
  };
  return { exchange: exchange as unknown as OpenedRun["exchange"], give, detached };
}

/** A stream over an exchange of its own, and how it ended. */
function open(protocol: 1 | 2 = 2, nextSequence = 1) {
  const { exchange, give, detached } = fakeExchange();
  const ends: (ValinorError | undefined)[] = [];
  const run: OpenedRun = {
    exchange,
    guest: guests[protocol],
    bootId: "b",
    attached: false,
    nextSequence,
    life: "",
    rest: [],
  };
  const opened = { requestId: "r", bootId: "b", attached: false, resumable: protocol === 2, life: "" };
  const stream = new StoppableStream(run, opened, { request_id: "r" }, unseenRun(), (failure) =>
    ends.push(failure),
  );
  return { stream, give, ends, detached };
}

describe("a stream that the server ends", () => {
  it("gives what has come, and then DRAINING with the last event that was given", async () => {
    const { stream, give, ends } = open();
    give(chunk(1, "a"));
    give(chunk(2, "b"));
    stream.stop();
    expect(await stream.next()).toHaveLength(2);
    expect(await failureOf(stream.next())).toMatchObject({
      reason: "DRAINING",
      metadata: { request_id: "r", last_sequence: "2" },
    });
    expect(ends).toMatchObject([{ reason: "DRAINING" }]);
  });

  it("counts the events that its reader had before it", async () => {
    const { stream } = open(2, 8);
    stream.stop();
    expect(await failureOf(stream.next())).toMatchObject({ metadata: { last_sequence: "7" } });
  });

  it("is interrupted if its guest speaks protocol 1: nobody can read that run again", async () => {
    const { stream } = open(1);
    stream.stop();
    expect(await failureOf(stream.next())).toMatchObject({ reason: "RUN_INTERRUPTED" });
  });
});

describe("a stream", () => {
  it("that is over stays over, and says so once", async () => {
    const { stream, give, ends } = open();
    give(chunk(1, "a"));
    give(done(2), true);
    expect(await stream.next()).toHaveLength(2);
    expect(await stream.next()).toBeUndefined();
    stream.close();
    stream.stop();
    expect(await stream.next()).toBeUndefined();
    expect(ends).toEqual([undefined]);
  });

  it("gives the events before a broken one, and then its error, again and again", async () => {
    const { stream, give, ends, detached } = open();
    give(chunk(1, "a"));
    give(chunk(3, "c"));
    expect(await stream.next()).toEqual([{ kind: "text", sequence: 1, text: "a" }]);
    for (let again = 0; again < 2; again++)
      expect(await failureOf(stream.next())).toMatchObject({ reason: "INVALID_FRAME" });
    expect(ends).toHaveLength(1);
    expect(detached).toHaveLength(1);
  });

  it("whose reader leaves while it waits is over for the reader, too", async () => {
    const { stream, ends, detached } = open();
    const waiting = failureOf(stream.next());
    stream.close();
    expect(await waiting).toMatchObject({ reason: "CLIENT_GONE" });
    expect(ends).toEqual([undefined]);
    expect(detached).toHaveLength(1);
  });

  it("whose exchange ends without a last event was interrupted, and is no success", async () => {
    const { stream, give } = open();
    give(chunk(1, "a"), true);
    await stream.next();
    const failure = await failureOf(stream.next());
    expect(failure).toMatchObject({ reason: "RUN_INTERRUPTED", cause: expect.any(LinkError) });
  });
});
