import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { errorText } from "@valinor/protocol";
import type { Log } from "../log.ts";
import type { LedgerEntries, LedgerLine } from "./ledger-entries.ts";
import { parseLines, toText } from "./ledger-lines.ts";

// The driver of the ledger: its file. It knows nothing of what the lines mean.

const FILE = "ledger.jsonl";
/** The file is written anew when it holds this many lines more than twice what is still remembered. */
const SLACK_LINES = 1_000;
/** More lines do not wait for a disk that takes none. */
const WAITING_LINES = 1_024;
/** Lines that are put together and written at once. */
const PIECE_LINES = 2_000;

/** What the ledger remembers: the file is written anew from it. */
export type Remembered = Pick<LedgerEntries, "size" | "lines">;

interface Waiting {
  readonly line: LedgerLine;
  resolve(): void;
  reject(error: unknown): void;
}

/**
 * Reads the lines that the ledger of a directory holds, oldest first; none if there is no file. The directory is made if it is missing. What is not a
 * line, as the last one after a crash, is skipped and counted. Rejects if the directory cannot be read.
 */
export async function readLedger(dir: string, log: Log): Promise<LedgerLine[]> {
  const lines: LedgerLine[] = [];
  let skipped = 0;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  for (const line of parseLines(await readIfThere(join(dir, FILE)))) {
    if (line === undefined) skipped++;
    else lines.push(line);
  }
  if (skipped > 0) log.warn("ledger_lines_skipped", { skipped });
  return lines;
}

/** Writes the ledger's file of a directory anew with what is remembered, and keeps it open. Rejects if it cannot be written. */
export async function openLedgerFile(dir: string, remembered: Remembered, log: Log): Promise<LedgerFile> {
  const path = join(dir, FILE);
  return new LedgerFile(path, remembered, await writeAnew(path, remembered.lines()), log);
}

/**
 * The file behind a ledger: append-only, synced before `append` resolves, written anew when most of it is old. After a failed write the whole
 * file is written anew with the next line, since nobody knows what the failed one left behind.
 */
export class LedgerFile {
  readonly #path: string;
  readonly #remembered: Remembered;
  readonly #log: Log;
  #handle: FileHandle | undefined;
  #lines: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;

  /** The handle belongs to this object from here on. */
  constructor(path: string, remembered: Remembered, handle: FileHandle, log: Log) {
    this.#path = path;
    this.#remembered = remembered;
    this.#handle = handle;
    this.#log = log;
    this.#lines = remembered.size;
  }

  /** Resolves when the line is on disk; lines that come while a write runs share the next one. Rejects if it could not be written. */
  append(line: LedgerLine): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new Error("the ledger is closed"));
      if (this.#waiting.length >= WAITING_LINES)
        return reject(new Error("the disk is too slow for the ledger"));
      this.#waiting.push({ line, resolve, reject });
      this.#writing ??= this.#drain();
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#handle?.close();
    this.#handle = undefined;
  }

  /** Writes lines until none waits. */
  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(batch.map(({ line }) => line));
        for (const waiter of batch) waiter.resolve();
      } catch (error) {
        this.#log.error("ledger_write_failed", { reason: errorText(error) });
        await this.#dropHandle();
        for (const waiter of batch) waiter.reject(error);
      }
    }
    this.#writing = undefined;
  }

  async #write(batch: readonly LedgerLine[]): Promise<void> {
    const { size } = this.#remembered;
    if (this.#handle === undefined || this.#lines > 2 * size + SLACK_LINES) {
      await this.#handle?.close();
      this.#handle = undefined;
      this.#lines = size + batch.length;
      // A line that was forgotten before it was written is still promised to be on disk.
      this.#handle = await writeAnew(this.#path, chain(this.#remembered.lines(), batch));
      return;
    }
    await this.#handle.appendFile(toText(batch));
    await this.#handle.datasync();
    this.#lines += batch.length;
  }

  async #dropHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    try {
      await handle?.close();
    } catch (error) {
      this.#log.warn("ledger_close_failed", { reason: errorText(error) });
    }
  }
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
