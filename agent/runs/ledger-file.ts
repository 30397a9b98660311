import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Bounds } from "../bounds.ts";
import type { LedgerEntries, LedgerLine } from "./ledger-entries.ts";
import { parseLines, toText } from "./ledger-lines.ts";
import { type Log } from "../log.ts";
import { errorText } from "@valinor/protocol";

/** The file behind a ledger. */
export interface LedgerFile {
  /** The latest time in the file when it was opened; 0 where it was empty. */
  readonly latest: number;
  /** Resolves when the line is on disk; lines that come while a write runs share the next one. */
  append(line: LedgerLine): Promise<void>;
  close(): Promise<void>;
}

/** The file is written anew when it holds this many lines more than twice what is still remembered. */
const SLACK_LINES = 1_000;
/** More lines do not wait for a disk that takes none. */
const WAITING_LINES = 1_024;
/** Lines that are put together and written at once. */
const PIECE_LINES = 2_000;

interface Waiting {
  readonly line: LedgerLine;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Reads `ledger.jsonl` of a directory into `entries` and keeps it: append-only, synced before `append` resolves, written
 * anew when most of it is old. Lines that are no JSON (the last one after a crash) are skipped. After a failed write the
 * whole file is written anew with the next line, since nobody knows what the failed one left behind.
 */
export async function openLedgerFile(
  dir: string,
  entries: LedgerEntries,
  bounds: Pick<Bounds, "ledgerEntries">,
  log: Log,
): Promise<LedgerFile> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, "ledger.jsonl");
  const latest = take(await readIfThere(path), entries, bounds.ledgerEntries);
  let lines = entries.size;
  let handle: FileHandle | undefined = await writeAnew(path, entries.lines());
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;
  let closed = false;

  /** Writes lines until none waits. */
  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      try {
        await write(batch.map(({ line }) => line));
        for (const waiter of batch) waiter.resolve();
      } catch (error) {
        log.error("ledger_write_failed", { reason: errorText(error) });
        await handle?.close().catch(() => {});
        handle = undefined;
        for (const waiter of batch) waiter.reject(error);
      }
    }
    writing = undefined;
  }

  async function write(batch: readonly LedgerLine[]): Promise<void> {
    if (handle === undefined || lines > 2 * entries.size + SLACK_LINES) {
      await handle?.close();
      handle = undefined;
      lines = entries.size + batch.length;
      // A line that was forgotten before it was written is still promised to be on disk.
      handle = await writeAnew(path, chain(entries.lines(), batch));
      return;
    }
    await handle.appendFile(toText(batch));
    await handle.datasync();
    lines += batch.length;
  }

  return {
    latest,
    append: (line) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Error("the ledger is closed"));
        if (waiting.length >= WAITING_LINES) return reject(new Error("the disk is too slow for the ledger"));
        waiting.push({ line, resolve, reject });
        writing ??= drain();
      }),
    async close() {
      closed = true;
      await writing;
      await handle?.close();
      handle = undefined;
    },
  };
}

/**
 * Puts what a file holds into `entries`, at most `most` of it, and answers the latest time in it. What is older than what is kept is
 * forgotten by the ledger's own clock, which ends at that time: the machine's clock has no say.
 */
function take(text: string, entries: LedgerEntries, most: number): number {
  let latest = 0;
  for (const line of parseLines(text)) {
    latest = Math.max(latest, line.at);
    entries.add({ ...line, at: latest }, false);
  }
  entries.forgetOld(latest);
  entries.forgetOver(most);
  return latest;
}

function* chain(...parts: Iterable<LedgerLine>[]): Generator<LedgerLine> {
  for (const part of parts) yield* part;
}

/** Writes a new file beside the old one, puts it in its place and keeps it open at its end. */
async function writeAnew(path: string, lines: Iterable<LedgerLine>): Promise<FileHandle> {
  const handle = await open(`${path}.new`, "w", 0o600);
  try {
    let piece: LedgerLine[] = [];
    for (const line of lines) {
      if (piece.push(line) < PIECE_LINES) continue;
      await handle.appendFile(toText(piece));
      piece = [];
    }
    await handle.appendFile(toText(piece));
    await handle.datasync();
    await rename(`${path}.new`, path);
    await syncDirectory(join(path, ".."));
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
