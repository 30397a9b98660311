import type { JsonObject } from "@bufbuild/protobuf";
import type { AuditAction, AuditStore, NewAuditEntry } from "../../store/audit.ts";
import { boundEntry } from "./audit-detail.ts";
import { createAuditWriter, droppedEntry } from "./audit-writer.ts";
import type { Caller } from "../types.ts";

/** Writes down in the audit log what no transaction of the store writes by itself: denials and blocked tools. */
export interface Audit {
  /**
   * Takes an entry; never waits and never throws. Entries are written soon, in batches; over a bound they are counted, and the count
   * is written as `audit.dropped`. What is said again within 10 s is written once more, with `detail.count` for how often. `detail`
   * holds no secret and no message text.
   */
  note(
    who: Pick<Caller, "tenant" | "subject" | "credential">,
    action: AuditAction,
    agentId: string,
    detail: JsonObject,
  ): void;
  /** Writes what waits, for 2 s at most. Never rejects; what is noted afterwards is lost. */
  close(): Promise<void>;
}

/** How long the same entry is counted and not written again. */
const WINDOW_MS = 10_000;
/** Most different entries of one tenant in that time; the others are counted. Nobody fills the disk by being refused. */
const TENANT_ENTRIES = 200;
/** The same for callers that are not known: they can make up as many keys as they like, at no cost. */
const STRANGER_ENTRIES = 20;
/** Most tenants in that time; those above share one window. */
const TENANTS = 1_000;
/** Most different entries in that time, of all tenants: they are held in memory. */
const ENTRIES = 5_000;

/** What a tenant's entries of the last 10 s were. */
interface Window {
  readonly tenant: string;
  /** By their JSON: the entry, and how often it came again. */
  readonly entries: Map<string, { readonly entry: NewAuditEntry; again: number }>;
  dropped: number;
}

/** Makes the audit log's writer. `onError` is told when the store takes nothing, and at the end what was not written. */
export function createAudit(options: {
  readonly store: Pick<AuditStore, "appendAudit">;
  onError(error: unknown): void;
}): Audit {
  const writer = createAuditWriter(options.store, (error) => options.onError(error));
  const windows = new Map<string, Window>();
  const timers = new Set<NodeJS.Timeout>();
  let held = 0;

  const isFull = ({ tenant, entries }: Window) =>
    held >= ENTRIES || entries.size >= (tenant === "" ? STRANGER_ENTRIES : TENANT_ENTRIES);

  function windowOf(name: string): Window {
    const tenant = windows.has(name) || windows.size < TENANTS ? name : "";
    const known = windows.get(tenant);
    if (known !== undefined) return known;
    const window: Window = { tenant, entries: new Map(), dropped: 0 };
    windows.set(tenant, window);
    const timer = setTimeout(() => {
      timers.delete(timer);
      end(window);
    }, WINDOW_MS).unref();
    timers.add(timer);
    return window;
  }

  /** Says what was only counted. */
  function end(window: Window): void {
    windows.delete(window.tenant);
    held -= window.entries.size;
    for (const { entry, again } of window.entries.values()) {
      if (again > 0) writer.add({ ...entry, detail: { ...entry.detail, count: again } });
    }
    if (window.dropped > 0) writer.add(droppedEntry(window.tenant, window.dropped));
  }

  return {
    note({ tenant, subject, credential }, action, agentId, detail) {
      const entry = boundEntry({ tenant, subject, credential, action, agentId, detail });
      const window = windowOf(entry.tenant);
      const text = JSON.stringify(entry);
      const same = window.entries.get(text);
      if (same !== undefined) same.again++;
      else if (isFull(window)) window.dropped++;
      else {
        held++;
        window.entries.set(text, { entry, again: 0 });
        writer.add(entry);
      }
    },
    async close() {
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
      for (const window of windows.values()) end(window);
      await writer.close();
    },
  };
}
