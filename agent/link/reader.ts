import { encodeFrameJson, type ErrorCode, type FrameType } from "@valinor/protocol";
import type { Leaving, Run, RunReader } from "../runs/run.ts";

/** What a reader needs of its link. */
export interface ReaderLink {
  /** Queues a frame; false where the link has no room: then `pump` is called when it has. */
  offer(frame: Buffer, reader: Reader): boolean;
  /** Sends an error without a sequence: it needs no credit. */
  error(id: string, code: ErrorCode, message: string): void;
  /** The exchange is over. */
  over(reader: Reader): void;
}

/** One exchange that reads a run, from its next event to the terminal one, within its credit. */
export class Reader implements RunReader {
  readonly id: string;
  next: number;
  readonly #link: ReaderLink;
  readonly #run: Run;
  readonly #opened: string;
  #openedSent = false;
  #limit: number;
  #sent = 0;
  #over = false;

  /** `limit` is the first credit (Infinity where the host gives none), `opened` the payload of the first answer. */
  constructor(link: ReaderLink, run: Run, id: string, next: number, limit: number, opened: string) {
    this.#link = link;
    this.#run = run;
    this.id = id;
    this.next = next;
    this.#limit = limit;
    this.#opened = opened;
  }

  /** Sends everything that the run has, the credit covers and the link takes. */
  pump(): void {
    if (this.#over || !this.#run.accepted) return;
    if (!this.#openedSent) {
      if (!this.#send("opened", this.#opened)) return;
      this.#openedSent = true;
    }
    const { journal } = this.#run;
    for (let event = journal.at(this.next); event !== undefined; event = journal.at(this.next)) {
      if (!this.#send(event.type, event.json)) return;
      this.next++;
      if (this.#run.ended && this.next === journal.next) return this.#end("detached");
    }
  }

  progress(): void {
    if (!this.#over && this.#openedSent) this.#send("progress", "{}");
  }

  refuse(code: ErrorCode, message: string): void {
    if (this.#over) return;
    this.#link.error(this.id, code, message);
    this.#end("lost");
  }

  /** More may be sent. A limit never falls: a lower one is ignored. */
  credit(limit: number): void {
    if (limit <= this.#limit) return;
    this.#limit = limit;
    this.pump();
    this.#run.settle();
  }

  /** The link has room again. */
  resume(): void {
    this.pump();
    this.#run.settle();
  }

  /** The host wants nothing more of this exchange, or its link is gone. */
  leave(how: Leaving): void {
    if (!this.#over) this.#end(how);
  }

  #send(type: FrameType, json: string): boolean {
    if (this.#sent >= this.#limit) return false;
    const frame = encodeFrameJson(type, this.id, json);
    if (!this.#link.offer(frame, this)) return false;
    this.#sent += frame.length;
    return true;
  }

  #end(how: Leaving): void {
    this.#over = true;
    this.#link.over(this);
    this.#run.leave(this, how);
  }
}
