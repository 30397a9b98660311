import type { UnknownObject } from "../src/wire/frame.ts";
import type { Bounds } from "./bounds.ts";
import { Failure } from "./failure.ts";

type ContextBounds = Pick<Bounds, "contextEntries" | "contextEntryBytes" | "contextBytes">;

/** Longest key of a context entry, in UTF-16 units. */
const KEY_LENGTH = 256;

/** Texts that go before every message of runs that begin from now on. */
export class Context {
  readonly #bounds: ContextBounds;
  readonly #entries = new Map<string, string>();
  #bytes = 0;

  constructor(bounds: ContextBounds) {
    this.#bounds = bounds;
  }

  /** The texts, in code-unit order of their keys. */
  texts(): string[] {
    const keys = [...this.#entries.keys()].toSorted((a, b) => (a < b ? -1 : 1));
    return keys.map((key) => this.#entries.get(key) as string);
  }

  /**
   * Applies the payload of a `context_update`. Answers why it was refused, or undefined where it is in force.
   * Throws Failure `invalid_config` where it is no context update at all.
   */
  update(payload: UnknownObject): string | undefined {
    const text = payload["context"];
    const key = payload["key"] ?? "";
    if (typeof text !== "string") throw new Failure("invalid_config", "context is not a string");
    if (typeof key !== "string") throw new Failure("invalid_config", "key is not a string");
    const { contextEntries, contextEntryBytes, contextBytes } = this.#bounds;
    const size = Buffer.byteLength(text);
    const before = Buffer.byteLength(this.#entries.get(key) ?? "");
    if (key.length > KEY_LENGTH) return `a key has at most ${KEY_LENGTH} characters`;
    if (size > contextEntryBytes) return `a context entry holds at most ${contextEntryBytes} bytes`;
    if (this.#bytes - before + size > contextBytes)
      return `context holds at most ${contextBytes} bytes in all`;
    if (size > 0 && before === 0 && this.#entries.size >= contextEntries) {
      return `context has at most ${contextEntries} entries`;
    }
    this.#bytes += size - before;
    if (size === 0) this.#entries.delete(key);
    else this.#entries.set(key, text);
    return undefined;
  }
}
