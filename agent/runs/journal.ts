import type { FrameType } from "@valinor/protocol";
import { EVENT_OVERHEAD, FreePages, type JournalEvent, JournalPage } from "./journal-pages.ts";

export { EVENT_OVERHEAD, type JournalEvent } from "./journal-pages.ts";

/** What a run costs beside its events, so that many short runs are counted for what they take. */
export const RUN_OVERHEAD = 2048;

/** Bytes that all journals of an agent hold, their overheads included. */
export interface JournalTotal {
  bytes: number;
  /** Memory that they pass on to each other; without it each journal makes its own. */
  readonly pages?: FreePages;
}

/** A journal as plain data. */
export interface JournalState {
  /** Number of the oldest event that is kept; of the next one if none is. */
  readonly first: number;
  readonly events: readonly JournalEvent[];
  /** Mark of the latest event that was dropped; before that the mark with which the journal began. */
  readonly droppedMark: number;
}

/** A journal without events. `firstMark` stands for the mark of the event before the first. */
export function emptyJournal(firstMark: number): JournalState {
  return { first: 1, events: [], droppedMark: firstMark };
}

/** The events of one run, numbered from 1 without gaps. The oldest may be gone, the numbers stay. */
export class Journal {
  readonly #total: JournalTotal;
  readonly #free: FreePages;
  /** In order; an event that was dropped may still stand in the first of them. */
  #pages: JournalPage[] = [];
  /** The latest event, which a reader that keeps up takes as it is. */
  #latest: JournalEvent | undefined;
  #first: number;
  #next: number;
  #bytes = 0;
  #mark: number; // of the latest event
  #droppedMark: number; // of the latest event that was dropped

  constructor(total: JournalTotal, { first, events, droppedMark }: JournalState) {
    this.#total = total;
    this.#free = total.pages ?? new FreePages();
    this.#first = this.#next = first;
    this.#mark = this.#droppedMark = droppedMark;
    total.bytes += RUN_OVERHEAD;
    for (const { type, json, mark } of events) this.append(type, json, mark);
  }

  snapshot(): JournalState {
    const events: JournalEvent[] = [];
    for (let n = this.#first; n < this.#next; n++) events.push(this.event(n) as JournalEvent);
    return { first: this.#first, events, droppedMark: this.#droppedMark };
  }

  /** Number of the oldest event that is kept; `next` if none is. */
  get first(): number {
    return this.#first;
  }

  /** Number of the next event. */
  get next(): number {
    return this.#next;
  }

  /** Bytes held: the JSON of each event and 64 for each. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Mark of the latest event. */
  get mark(): number {
    return this.#mark;
  }

  /** Adds an event; its JSON carries the number `next` and the mark already. */
  append(type: FrameType, json: string, mark: number): void {
    const length = Buffer.byteLength(json);
    if (this.#pages.at(-1)?.add(type, json, length, mark) !== true)
      this.#newPage(JournalPage.sizeOf(length)).add(type, json, length, mark);
    const bytes = length + EVENT_OVERHEAD;
    this.#latest = { type, json, bytes, mark };
    this.#next++;
    this.#mark = mark;
    this.#count(bytes);
  }

  /** The event of that number, or undefined if it is gone or not yet there. */
  event(sequence: number): JournalEvent | undefined {
    if (sequence < this.#first || sequence >= this.#next) return undefined;
    return sequence === this.#next - 1 ? this.#latest : this.#pageOf(sequence).event(sequence);
  }

  /**
   * True if the event of that number has that mark; false if it has another, or is not there yet. Undefined if it is gone, and another
   * one was dropped after it: of those nothing is known.
   */
  has(sequence: number, mark: number): boolean | undefined {
    if (sequence >= this.#next) return false;
    if (sequence >= this.#first) return this.#pageOf(sequence).markOf(sequence) === mark;
    return sequence === this.#first - 1 ? this.#droppedMark === mark : undefined;
  }

  /** Drops the oldest event; does nothing if there is none. */
  dropOldest(): void {
    const page = this.#pages[0];
    if (page === undefined) return;
    this.#count(-page.bytesOf(this.#first));
    this.#droppedMark = page.markOf(this.#first);
    this.#first++;
    if (this.#first < page.next) return;
    page.release(this.#free);
    this.#pages.shift();
  }

  /** Drops every event; the journal is not used any more. */
  release(): void {
    this.#first = this.#next;
    for (const page of this.#pages) page.release(this.#free);
    this.#pages = [];
    this.#latest = undefined;
    this.#count(-this.#bytes);
    this.#total.bytes -= RUN_OVERHEAD;
  }

  #newPage(least: number): JournalPage {
    const page = new JournalPage(this.#next, this.#free.take(this.#pages.length, least));
    this.#pages.push(page);
    return page;
  }

  /** The page with that event, which is kept. Readers are mostly in the last one, or in one of its neighbours. */
  #pageOf(sequence: number): JournalPage {
    let at = this.#pages.length - 1;
    while ((this.#pages[at] as JournalPage).first > sequence) at--;
    return this.#pages[at] as JournalPage;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#total.bytes += bytes;
  }
}
