import { type FileHandle, mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { errorText, type Log } from "./log.ts";

/** One line of the file, as JSON. Written here and read by `parseLine` alone. */
interface Line {
  readonly requestId: string;
  readonly hash: string;
  readonly bootId: string;
  readonly at: number;
}

/** The file behind a ledger. */
export interface LedgerFile {
  /** Resolves when the line is on disk; lines that come while a write runs share the next one. */
  append(line: Line): Promise<void>;
  close(): Promise<void>;
}

/** The file is written anew when it holds this many lines more than twice what is still remembered. */
const SLACK_LINES = 1_000;

/** More lines do not wait for a disk that takes none. */
const WAITING_LINES = 1_024;

interface Waiting {
  readonly line: Line;
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
  entries: Map<string, Line>,
  sweep: (now: number) => void,
  log: Log,
): Promise<LedgerFile> {
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, "ledger.jsonl");
  for (const line of await readLines(path)) {
    entries.delete(line.requestId);
    entries.set(line.requestId, line);
  }
  sweep(Date.now());
  let lines = entries.size;
  let handle: FileHandle | undefined = await writeAnew(path, entries.values());
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

  async function write(batch: Line[]): Promise<void> {
    if (handle === undefined || lines > 2 * entries.size + SLACK_LINES) {
      await handle?.close();
      handle = undefined;
      // A line that was swept out of `entries` before it was written is still promised to be on disk.
      const kept = new Map(batch.map((line) => [line.requestId, line]));
      for (const [requestId, line] of entries) kept.set(requestId, line);
      handle = await writeAnew(path, kept.values());
      lines = kept.size;
      return;
    }
    await handle.appendFile(toText(batch));
    await handle.datasync();
    lines += batch.length;
  }

  return {
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

/** Writes a new file beside the old one, puts it in its place and keeps it open at its end. */
async function writeAnew(path: string, lines: Iterable<Line>): Promise<FileHandle> {
  const handle = await open(`${path}.new`, "w", 0o600);
  try {
    await handle.appendFile(toText(lines));
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

function toText(lines: Iterable<Line>): string {
  let text = "";
  for (const { requestId, hash, bootId, at } of lines)
    text += `${JSON.stringify({ requestId, hash, bootId, at })}\n`;
  return text;
}

async function readLines(path: string): Promise<Line[]> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
  return text.split("\n").flatMap((line) => parseLine(line) ?? []);
}

function parseLine(text: string): Line | undefined {
  try {
    const { requestId, hash, bootId, at } = JSON.parse(text) as Partial<Record<keyof Line, unknown>>;
    if (typeof requestId !== "string" || typeof hash !== "string") return undefined;
    if (typeof bootId !== "string" || typeof at !== "number") return undefined;
    return { requestId, hash, bootId, at };
  } catch {
    return undefined;
  }
}
