import { hasEnded, type Run } from "./run.ts";

/** The part of Storage that is used; sessionStorage is one. */
export type Box = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

/** Keeps runs over a reload of the page, for as long as its tab lives. */
export interface SavedRuns {
  /** Every run that is kept, the oldest first. What cannot be read is forgotten. */
  load(): Run[];
  /** Keeps a run as it is now, text and last sequence together. The oldest ended runs go if there is no room. */
  save(run: Run): void;
  forget(requestId: string): void;
}

const PREFIX = "valinor.run.";
/** Runs kept at most. */
const MAX_RUNS = 300;
/** Characters of one run at most; of a longer one only the beginning is kept. */
const MAX_RUN_CHARS = 400_000;
/** Characters of all of them at most; browsers allow about 5 million. */
const MAX_CHARS = 4_000_000;

/** Makes the keeper of runs in a storage. */
export function createSavedRuns(box: Box): SavedRuns {
  const sizes = new Map<string, { size: number; sentAt: number; ended: boolean }>();
  const forget = (requestId: string) => {
    sizes.delete(requestId);
    box.removeItem(PREFIX + requestId);
  };
  /** Drops the oldest ended run; false if there is none. */
  const dropOne = (except: string): boolean => {
    const ended = [...sizes].filter(([id, { ended }]) => ended && id !== except);
    const [oldest] = ended.toSorted((a, b) => a[1].sentAt - b[1].sentAt);
    if (oldest !== undefined) forget(oldest[0]);
    return oldest !== undefined;
  };
  return {
    load() {
      const runs = keysOf(box).flatMap((key) => {
        const text = box.getItem(key) ?? "";
        const run = readRun(text);
        if (run === undefined) box.removeItem(key);
        else sizes.set(run.requestId, { size: text.length, sentAt: run.sentAt, ended: hasEnded(run) });
        return run === undefined ? [] : [run];
      });
      return runs.toSorted((a, b) => a.sentAt - b.sentAt);
    },
    save(run) {
      const text = JSON.stringify(bounded(run));
      sizes.set(run.requestId, { size: text.length, sentAt: run.sentAt, ended: hasEnded(run) });
      while ((sizes.size > MAX_RUNS || total(sizes) > MAX_CHARS) && dropOne(run.requestId));
      do {
        try {
          return box.setItem(PREFIX + run.requestId, text);
        } catch {
          // The quota is the browser's own; if nothing can go, the run lives on only in the page.
        }
      } while (dropOne(run.requestId));
    },
    forget,
  };
}

/**
 * A run that fits. One that still goes on keeps no part of a text that is too long: it is read again from its first event. One
 * that has ended keeps its beginning.
 */
function bounded(run: Run): Run {
  let room = MAX_RUN_CHARS - run.message.length;
  const fits = run.parts.every(
    (part) => (room -= part.kind === "text" ? part.text.length : part.args.length) >= 0,
  );
  if (fits) return run;
  if (!hasEnded(run)) return { ...run, parts: [], lastSequence: 0 };
  const parts = [];
  let left = MAX_RUN_CHARS;
  for (const part of run.parts) {
    left -= part.kind === "text" ? part.text.length : part.args.length;
    if (left < 0) break;
    parts.push(part);
  }
  return { ...run, parts, shortened: true };
}

function keysOf(box: Box): string[] {
  const keys = Array.from({ length: box.length }, (_, index) => box.key(index) ?? "");
  return keys.filter((key) => key.startsWith(PREFIX));
}

function total(sizes: ReadonlyMap<string, { size: number }>): number {
  let sum = 0;
  for (const { size } of sizes.values()) sum += size;
  return sum;
}

/** Nobody but this page writes here; what has another shape is an older version's. */
function readRun(text: string): Run | undefined {
  try {
    const run = JSON.parse(text) as Partial<Run>;
    const good =
      typeof run.requestId === "string" &&
      typeof run.agentId === "string" &&
      typeof run.message === "string" &&
      typeof run.lastSequence === "number" &&
      typeof run.state === "string" &&
      Array.isArray(run.parts);
    // What is undefined is left out of JSON.
    return good ? { ...(run as Run), life: run.life ?? "", problem: run.problem } : undefined;
  } catch {
    return undefined; // an older console, or somebody else, wrote it: it can't be shown
  }
}
