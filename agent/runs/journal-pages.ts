import { type FrameType, frameTypes } from "@valinor/protocol";

/** Sizes of a journal's first page and of its largest ones. A page that begins with a larger event has the size of that. */
const FIRST_BYTES = 1024;
const PAGE_BYTES = 32 * 1024;
/** What stands before each event: its mark, and its type with the length of its JSON. */
const HEAD_BYTES = 8;
/** Where an event begins: these stand at the end of the page, that of the first event last. */
const START_BYTES = 4;
const LENGTH_BITS = 24;
/** Pages that are kept to be used again. */
const FREE_PAGES = 64;

/** An event of a run: the type of its frame and the JSON of its payload. */
export interface JournalEvent {
  readonly type: FrameType;
  readonly json: string;
  readonly bytes: number;
  /** See nextMark. */
  readonly mark: number;
}

/** What an event costs beside its JSON, so that many small events are counted for what they take. */
export const EVENT_OVERHEAD = 64;

/** Memory of pages that no journal needs any more: under a flood pages are used again, and not left to the garbage collector. */
export class FreePages {
  readonly #free: Buffer[] = [];

  /** Memory for the page that comes after so many others of a journal. Pages grow with it, since most runs are short. */
  take(pagesBefore: number, least: number): Buffer {
    const usual = Math.min(PAGE_BYTES, FIRST_BYTES << Math.min(pagesBefore, 8));
    const size = Math.max(usual, least);
    return (size === PAGE_BYTES ? this.#free.pop() : undefined) ?? Buffer.allocUnsafeSlow(size);
  }

  give(bytes: Buffer): void {
    if (bytes.length === PAGE_BYTES && this.#free.length < FREE_PAGES) this.#free.push(bytes);
  }
}

/**
 * Some successive events of a journal as bytes in one piece of memory, outside of the engine's heap: as objects and strings they would
 * take twice the room, and the garbage collector would copy each of them twice. Of two neighbouring pages at most one is half empty.
 */
export class JournalPage {
  /** Number of its first event. */
  readonly first: number;
  readonly #bytes: Buffer;
  #count = 0;
  #used = 0;

  /** Takes memory that has room for the event it is made for. */
  constructor(first: number, bytes: Buffer) {
    this.first = first;
    this.#bytes = bytes;
  }

  /** Room that an event with JSON of so many bytes takes. */
  static sizeOf(jsonBytes: number): number {
    return HEAD_BYTES + jsonBytes + START_BYTES;
  }

  /** Number of the event after its last one. */
  get next(): number {
    return this.first + this.#count;
  }

  /** Adds the event `next`; false if there is no room for it. */
  add(type: FrameType, json: string, jsonBytes: number, mark: number): boolean {
    const start = this.#used;
    const startAt = this.#startAt(this.#count);
    const end = start + HEAD_BYTES + jsonBytes;
    if (end > startAt) return false;
    this.#bytes.writeUInt32LE(mark, start);
    this.#bytes.writeUInt32LE(frameTypes.indexOf(type) * 2 ** LENGTH_BITS + jsonBytes, start + 4);
    this.#bytes.write(json, start + HEAD_BYTES, jsonBytes, "utf8");
    this.#bytes.writeUInt32LE(start, startAt);
    this.#count++;
    this.#used = end;
    return true;
  }

  /** The event of that number, which must be one of this page's. */
  event(sequence: number): JournalEvent {
    const start = this.#start(sequence);
    const type = frameTypes[this.#bytes.readUInt32LE(start + 4) >>> LENGTH_BITS] as FrameType;
    const from = start + HEAD_BYTES;
    const length = this.#length(start);
    const json = this.#bytes.toString("utf8", from, from + length);
    return { type, json, bytes: length + EVENT_OVERHEAD, mark: this.#bytes.readUInt32LE(start) };
  }

  markOf(sequence: number): number {
    return this.#bytes.readUInt32LE(this.#start(sequence));
  }

  /** What the event costs. */
  bytesOf(sequence: number): number {
    return this.#length(this.#start(sequence)) + EVENT_OVERHEAD;
  }

  /** Gives its memory back; the page is not used any more. */
  release(free: FreePages | undefined): void {
    free?.give(this.#bytes);
  }

  #start(sequence: number): number {
    return this.#bytes.readUInt32LE(this.#startAt(sequence - this.first));
  }

  #startAt(index: number): number {
    return this.#bytes.length - (index + 1) * START_BYTES;
  }

  #length(start: number): number {
    return this.#bytes.readUInt32LE(start + 4) & (2 ** LENGTH_BITS - 1);
  }
}
