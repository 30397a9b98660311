import { isObject } from "@valinor/protocol";
import { digestOfHash, digestOfName, type LedgerLine } from "./ledger-entries.ts";

// A line of the ledger's file is {"at","k","h"}: the ledger's time, and the digests of the request's id and of its message.

/** Lines as the file has them. */
export function toText(lines: Iterable<LedgerLine>): string {
  let text = "";
  for (const { takenAt, name, digest } of lines) text += `{"at":${takenAt},"k":"${name}","h":"${digest}"}\n`;
  return text;
}

/** The lines of a file; undefined for one that is not a line, as the last one after a crash. */
export function* parseLines(text: string): Generator<LedgerLine | undefined> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf("\n", from);
    yield parseLine(text.slice(from, end < 0 ? text.length : end));
    from = end < 0 ? text.length : end + 1;
  }
}

function parseLine(text: string): LedgerLine | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // the reader of the file counts it
  }
  if (!isObject(value)) return undefined;
  const { at, k, h } = value;
  if (typeof k !== "string" || typeof h !== "string") return parseFirstForm(value);
  return typeof at === "number" && at >= 0 && at <= Number.MAX_SAFE_INTEGER
    ? { takenAt: at, name: k, digest: h }
    : undefined;
}

/** Version 0.1 wrote ids and hashes whole, with a time of the wall clock, of which nothing can be said: they count as taken now. */
function parseFirstForm({ requestId, hash }: { readonly [key: string]: unknown }): LedgerLine | undefined {
  if (typeof requestId !== "string" || typeof hash !== "string") return undefined;
  return { takenAt: 0, name: digestOfName(requestId), digest: digestOfHash(hash) };
}
