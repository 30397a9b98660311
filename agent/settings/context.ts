import { contextDigest, Failure, guestLimits, type UnknownObject } from "@valinor/protocol";

/** What bounds a context: entries, the bytes of one, and of all together. */
export interface ContextBounds {
  readonly contextEntries: number;
  readonly contextEntryBytes: number;
  readonly contextBytes: number;
}

/** A `context_update` whose fields have the right types. */
interface ContextChange {
  readonly key: string;
  /** Empty: the entry is removed. */
  readonly text: string;
  /** Entries that may stay; undefined: all. */
  readonly keep: ReadonlySet<string> | undefined;
}

/** Texts that go before every message of runs that begin from now on. */
export class Context {
  readonly #bounds: ContextBounds;
  #entries: ReadonlyMap<string, string>;
  /** Made when it is asked for. */
  #sha256: string | undefined;

  constructor(bounds: ContextBounds, entries: ReadonlyMap<string, string> = new Map()) {
    this.#bounds = bounds;
    this.#entries = entries;
  }

  /** The texts, in code-unit order of their keys. */
  texts(): string[] {
    const keys = [...this.#entries.keys()].toSorted((a, b) => (a < b ? -1 : 1));
    return keys.map((key) => this.#entries.get(key) as string);
  }

  /** Digest of what is in force: docs/wire-protocol.md section 10.3. */
  get sha256(): string {
    return (this.#sha256 ??= contextDigest(this.#entries));
  }

  /** The entries by key; a later update does not change what was answered. */
  snapshot(): ReadonlyMap<string, string> {
    return this.#entries;
  }

  /**
   * Applies the payload of a `context_update`, whole or not at all. Answers why it was refused, or undefined if it is in force. Throws
   * Failure `invalid_config` if it is no context update at all.
   */
  update(payload: UnknownObject): string | undefined {
    const { key, text, keep } = readChange(payload);
    const { contextKeyLength: longest } = guestLimits;
    if (key.length > longest) return `a key has at most ${longest} characters`;
    const next = new Map([...this.#entries].filter(([name]) => keep === undefined || keep.has(name)));
    next.delete(key);
    if (text !== "") next.set(key, text);
    const refused = this.#checkSizes(next, text);
    if (refused !== undefined) return refused;
    this.#entries = next;
    this.#sha256 = undefined;
    return undefined;
  }

  #checkSizes(next: ReadonlyMap<string, string>, text: string): string | undefined {
    const { contextEntries, contextEntryBytes, contextBytes } = this.#bounds;
    if (Buffer.byteLength(text) > contextEntryBytes)
      return `a context entry holds at most ${contextEntryBytes} bytes`;
    let bytes = 0;
    for (const other of next.values()) bytes += Buffer.byteLength(other);
    if (bytes > contextBytes) return `context holds at most ${contextBytes} bytes in all`;
    if (next.size > contextEntries) return `context has at most ${contextEntries} entries`;
    return undefined;
  }
}

function readChange(payload: UnknownObject): ContextChange {
  const text = payload["context"] ?? "";
  const key = payload["key"] ?? "";
  const replace = payload["replace"] ?? false;
  if (typeof text !== "string") throw new Failure("invalid_config", "context is not a string");
  if (typeof key !== "string") throw new Failure("invalid_config", "key is not a string");
  if (typeof replace !== "boolean") throw new Failure("invalid_config", "replace is not true or false");
  return { key, text, keep: replace ? readKeys(payload["keys"] ?? []) : undefined };
}

function readKeys(keys: unknown): ReadonlySet<string> {
  if (Array.isArray(keys) && keys.every((key) => typeof key === "string")) return new Set(keys);
  throw new Failure("invalid_config", "keys is not a list of names");
}
