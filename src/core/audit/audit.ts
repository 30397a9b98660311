import type { JsonObject } from "@bufbuild/protobuf";
import type { AuditAction, AuditStore, NewAuditEntry } from "../../store/audit.ts";
import { boundEntry } from "./audit-detail.ts";
import { AuditWriter, droppedEntry } from "./audit-writer.ts";
import type { Caller } from "../types.ts";

/** What the audit log has of a caller. */
export type AuditedCaller = Pick<Caller, "tenant" | "subject" | "credential">;

/** Writes down in the audit log what no transaction of the store writes by itself: denials and blocked tools. */
export interface Audit {
  /**
   * Takes an entry; never waits and never throws. Entries are written soon, in batches; over a bound they are counted, and the count
   * is written as `audit.dropped`. What is said again within 10 s is written once more, with `detail.count` for how often. `detail`
   * holds no secret and no message text.
   */
  note(who: AuditedCaller, action: AuditAction, agentId: string, detail: JsonObject): void;
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
  return new WindowedAudit(new AuditWriter(options.store, (error) => options.onError(error)));
}

class WindowedAudit implements Audit {
  readonly #writer: AuditWriter;
  readonly #windows = new Map<string, Window>();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** Different entries in all windows. */
  #held = 0;

  constructor(writer: AuditWriter) {
    this.#writer = writer;
  }

  note(who: AuditedCaller, action: AuditAction, agentId: string, detail: JsonObject): void {
    const { tenant, subject, credential } = who;
    const entry = boundEntry({ tenant, subject, credential, action, agentId, detail });
    const window = this.#windowOf(entry.tenant);
    const text = JSON.stringify(entry);
    const same = window.entries.get(text);
    if (same !== undefined) same.again++;
    else if (this.#isFull(window)) window.dropped++;
    else {
      this.#held++;
      window.entries.set(text, { entry, again: 0 });
      this.#writer.add(entry);
    }
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const window of this.#windows.values()) this.#end(window);
    await this.#writer.close();
  }

  #isFull({ tenant, entries }: Window): boolean {
    return this.#held >= ENTRIES || entries.size >= (tenant === "" ? STRANGER_ENTRIES : TENANT_ENTRIES);
  }

  #windowOf(name: string): Window {
    const tenant = this.#windows.has(name) || this.#windows.size < TENANTS ? name : "";
    const known = this.#windows.get(tenant);
    if (known !== undefined) return known;
    const window: Window = { tenant, entries: new Map(), dropped: 0 };
    this.#windows.set(tenant, window);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      this.#end(window);
    }, WINDOW_MS).unref();
    this.#timers.add(timer);
    return window;
  }

  /** Writes what was only counted. */
  #end(window: Window): void {
    this.#windows.delete(window.tenant);
    this.#held -= window.entries.size;
    for (const { entry, again } of window.entries.values()) {
      if (again > 0) this.#writer.add({ ...entry, detail: { ...entry.detail, count: again } });
    }
    if (window.dropped > 0) this.#writer.add(droppedEntry(window.tenant, window.dropped));
  }
}
