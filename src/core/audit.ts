import type { JsonObject } from "@bufbuild/protobuf";
import type { AuditAction } from "../store/audit.ts";
import type { Caller } from "./types.ts";

/** Writes down in the audit log what no transaction of the store writes by itself: denials and blocked tools. */
export interface Audit {
  /**
   * Takes an entry; never waits and never throws. Entries are written soon, in batches; over a bound they are counted, and the count
   * is written as `audit.dropped`. `detail` holds no secret and no message text.
   */
  note(
    who: Pick<Caller, "tenant" | "subject" | "credential">,
    action: AuditAction,
    agentId: string,
    detail: JsonObject,
  ): void;
  /** Writes what waits. Never rejects. */
  close(): Promise<void>;
}
