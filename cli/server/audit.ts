import type { Writable } from "node:stream";
import { finished } from "node:stream/promises";
import { pauseFor, type AuditEntry, type Store } from "@valinor/server";
import type { Environment } from "../terminal/environment.ts";
import { CliError } from "../terminal/errors.ts";
import { untilStopped } from "./stop.ts";
import { withStore } from "./with-store.ts";

/** Entries read at once. */
const PAGE = 500;
/** How often `--follow` looks for new entries. */
const FOLLOW_MS = 1_000;

/** Flags of `valinor audit export`. */
export interface AuditExportOptions {
  /** The server's configuration file: it names the store. */
  readonly config?: string;
  /** Only entries of this tenant; absent: all, those without a tenant too. */
  readonly tenant?: string;
  /** ISO 8601: entries from then on. */
  readonly since?: string;
  /** ISO 8601: entries before then. */
  readonly until?: string;
  /** Goes on with new entries until a signal ends it. */
  readonly follow?: boolean;
}

/**
 * Prints the audit log, oldest entry first, one JSON object a line: `sequence`, `time`, `tenant`, `subject`, `credential`, `action`,
 * `agent_id`, `detail`. Ends early if nobody reads any more. Rejects with CliError if a flag is wrong or the store fails.
 */
export async function auditExport(options: AuditExportOptions, env: Environment): Promise<void> {
  const { tenant } = options;
  const since = timeIn(options.since, "--since");
  const until = timeIn(options.until, "--until");
  const span = {
    ...(tenant === undefined ? {} : { tenant }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
  const stop = new AbortController();
  if (options.follow === true) void untilStopped().then(() => stop.abort());
  // A reader such as `head` that has enough is no failure.
  void finished(process.stdout, { readable: false }).then(
    () => stop.abort(),
    () => stop.abort(),
  );
  await withStore(options, env, async (store) => {
    let after = await print(store, span, 0, stop.signal);
    while (options.follow === true && !stop.signal.aborted) {
      await pauseFor(FOLLOW_MS, stop.signal);
      after = await print(store, span, after, stop.signal);
    }
  });
}

/** Prints all entries after a sequence number; resolves with the last one's. */
async function print(
  store: Store,
  span: { tenant?: string; since?: Date; until?: Date },
  from: number,
  signal: AbortSignal,
): Promise<number> {
  for (let after = from; ;) {
    const page = await store.listAudit({ ...span, after, limit: PAGE });
    after = page.at(-1)?.sequence ?? after;
    await write(process.stdout, page.map(lineOf).join(""), signal);
    if (page.length < PAGE || signal.aborted) return after;
  }
}

/** Writes as fast as the reader takes it, until the signal aborts. */
async function write(to: Writable, text: string, signal: AbortSignal): Promise<void> {
  if (text === "" || signal.aborted) return;
  const gone = Promise.withResolvers<void>();
  const leave = (): void => gone.resolve();
  signal.addEventListener("abort", leave, { once: true });
  to.write(text, leave);
  await gone.promise;
  signal.removeEventListener("abort", leave);
}

function lineOf({ sequence, time, agentId, ...entry }: AuditEntry): string {
  const { tenant, subject, credential, action, detail } = entry;
  const line = { sequence, time, tenant, subject, credential, action, agent_id: agentId, detail };
  return `${JSON.stringify(line)}\n`;
}

function timeIn(text: string | undefined, flag: string): Date | undefined {
  if (text === undefined) return undefined;
  const time = new Date(text);
  if (/^\d{4}-\d{2}-\d{2}(T.*)?$/.test(text) && !Number.isNaN(time.getTime())) return time;
  throw new CliError(`${flag} must be a time such as 2026-05-01 or 2026-05-01T12:00:00Z (ISO 8601)`, {
    exitCode: 2,
  });
}
