import { encodeFrameJson } from "../../wire/frame.ts";
import type { ErrorCode, FrameType } from "../../wire/vocabulary.ts";
import type { Leaving, ReadableRun, RunReader } from "./ports.ts";

/** What a reader needs of its link. */
export interface ReaderLink {
  /** Queues a frame; false if the link has no room: `resume` is called once it has. */
  offer(frame: Buffer, reader: Reader): boolean;
  /** Sends an error without a sequence: it needs no credit. */
  error(id: string, code: ErrorCode, message: string): void;
  /** The exchange is over. */
  over(reader: Reader, now: number): void;
}

/** What an exchange wants of its run. */
export interface Reading {
  /** Id of the exchange. */
  readonly id: string;
  /** Number of the first event that it wants. */
  readonly next: number;
  /** First credit limit in bytes; Infinity if the host counts no credit. */
  readonly credit: number;
  /** JSON of the payload of `opened`. */
  readonly opened: string;
}

/**
 * One exchange that reads a run, from its next event to the terminal one, within its credit: docs/wire-protocol.md section 6. It may
 * start a frame while it has sent less than the limit. What it cannot send waits in the journal.
 */
export class Reader implements RunReader {
  readonly id: string;
  next: number;
  readonly #link: ReaderLink;
  readonly #run: ReadableRun;
  readonly #opened: string;
  #openedSent = false;
  #limit: number;
  #sent = 0;
  #over = false;

  constructor(link: ReaderLink, run: ReadableRun, { id, next, credit, opened }: Reading) {
    this.#link = link;
    this.#run = run;
    this.id = id;
    this.next = next;
    this.#limit = credit;
    this.#opened = opened;
  }

  /** Sends everything that the run has, the credit covers and the link takes. */
  pump(now: number): void {
    if (this.#over || !this.#run.accepted) return;
    if (!this.#openedSent) {
      if (!this.#send("opened", this.#opened)) return;
      this.#openedSent = true;
    }
    const { journal } = this.#run;
    for (let event = journal.event(this.next); event !== undefined; event = journal.event(this.next)) {
      if (!this.#send(event.type, event.json)) return;
      this.next++;
      if (this.#run.ended && this.next === journal.next) return this.#end("detached", now);
    }
  }

  progress(): void {
    if (!this.#over && this.#openedSent) this.#send("progress", "{}");
  }

  refuse(code: ErrorCode, message: string, now: number): void {
    if (this.#over) return;
    this.#link.error(this.id, code, message);
    this.#end("lost", now);
  }

  /** More may be sent. A limit never falls: a lower one is ignored. */
  credit(limit: number, now: number): void {
    if (limit <= this.#limit) return;
    this.#limit = limit;
    this.resume(now);
  }

  /** The link has room again. */
  resume(now: number): void {
    this.pump(now);
    this.#run.settle(now);
  }

  /** The host wants nothing more of this exchange, or its link is gone. */
  leave(how: Leaving, now: number): void {
    if (!this.#over) this.#end(how, now);
  }

  #send(type: FrameType, json: string): boolean {
    if (this.#sent >= this.#limit) return false;
    const frame = encodeFrameJson(type, this.id, json);
    if (!this.#link.offer(frame, this)) return false;
    this.#sent += frame.length;
    return true;
  }

  #end(how: Leaving, now: number): void {
    this.#over = true;
    this.#link.over(this, now);
    this.#run.leave(this, how, now);
  }
}
