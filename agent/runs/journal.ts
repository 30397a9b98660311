import type { FrameType } from "@valinor/protocol";

/** What an event costs beside its JSON, so that many small events are counted for what they take. */
export const EVENT_OVERHEAD = 64;

/** What a run costs beside its events, so that many short runs are counted for what they take. */
export const RUN_OVERHEAD = 2048;

/** An event of a run: the type of its frame and the JSON of its payload. */
export interface JournalEvent {
  readonly type: FrameType;
  readonly json: string;
  readonly bytes: number;
  /** See nextMark. */
  readonly mark: number;
}

/** Bytes that all journals of an agent hold, their overheads included. */
export interface JournalTotal {
  bytes: number;
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
  #events: JournalEvent[] = [];
  #head = 0; // index of the oldest event that is kept
  #first: number;
  #bytes = 0;
  #mark: number; // of the latest event
  #droppedMark: number; // of the latest event that was dropped

  constructor(total: JournalTotal, { first, events, droppedMark }: JournalState) {
    this.#total = total;
    this.#first = first;
    this.#events = [...events];
    this.#droppedMark = droppedMark;
    this.#mark = events.at(-1)?.mark ?? droppedMark;
    total.bytes += RUN_OVERHEAD;
    for (const { bytes } of events) this.#count(bytes);
  }

  snapshot(): JournalState {
    return { first: this.#first, events: this.#events.slice(this.#head), droppedMark: this.#droppedMark };
  }

  /** Number of the oldest event that is kept; `next` if none is. */
  get first(): number {
    return this.#first;
  }

  /** Number of the next event. */
  get next(): number {
    return this.#first + this.#events.length - this.#head;
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
    const bytes = Buffer.byteLength(json) + EVENT_OVERHEAD;
    this.#events.push({ type, json, bytes, mark });
    this.#mark = mark;
    this.#count(bytes);
  }

  /** The event of that number, or undefined if it is gone or not yet there. */
  event(sequence: number): JournalEvent | undefined {
    return sequence < this.#first ? undefined : this.#events[this.#head + sequence - this.#first];
  }

  /**
   * True if the event of that number has that mark; false if it has another, or is not there yet. Undefined if it is gone, and another
   * one was dropped after it: of those nothing is known.
   */
  has(sequence: number, mark: number): boolean | undefined {
    if (sequence >= this.#first) return this.event(sequence)?.mark === mark;
    return sequence === this.#first - 1 ? this.#droppedMark === mark : undefined;
  }

  /** Drops the oldest event; does nothing if there is none. */
  dropOldest(): void {
    const event = this.#events[this.#head];
    if (event === undefined) return;
    this.#count(-event.bytes);
    this.#droppedMark = event.mark;
    this.#first++;
    this.#head++;
    // The dropped part is given back in large steps: each event is moved once on average.
    if (this.#head >= 32 && this.#head * 2 >= this.#events.length) {
      this.#events = this.#events.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Drops every event; the journal is not used any more. */
  release(): void {
    this.#first = this.next;
    this.#events = [];
    this.#head = 0;
    this.#count(-this.#bytes);
    this.#total.bytes -= RUN_OVERHEAD;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#total.bytes += bytes;
  }
}
