import type { JsonObject } from "@bufbuild/protobuf";

/** Who does something, for revisions and the audit log. */
export interface Actor {
  /** The user or service; `valinor` for what the control plane does by itself. */
  readonly subject: string;
  /** What it proved itself with: `key:ID`, `jwt:ISSUER`, `local`, `config`, `cli` or `valinor`. Never the secret. */
  readonly credential: string;
}

/** What the audit log tells of. */
export type AuditAction =
  | "agent.create"
  | "agent.update"
  | "agent.delete"
  | "tenant.delete"
  | "config.push"
  | "config.rollback"
  | "config.raise"
  | "config.applied"
  | "config.refused"
  | "context.push"
  | "context.refused"
  | "tool.blocked"
  | "denied"
  | "key.create"
  | "key.revoke"
  /** Entries that were not written, since too many came at once; `detail.count` says how many. */
  | "audit.dropped";

/** An entry to be written. Nothing in it is a secret, a token or a message's text. */
export interface NewAuditEntry {
  /** Empty if it is not known: a denied credential names no tenant that can be trusted. */
  readonly tenant: string;
  /** Actor.subject; empty if it is not known. */
  readonly subject: string;
  /** Actor.credential. */
  readonly credential: string;
  readonly action: AuditAction;
  /** Empty if it concerns no single agent. */
  readonly agentId: string;
  readonly detail: JsonObject;
}

/** An entry of the audit log. */
export interface AuditEntry extends NewAuditEntry {
  /** Grows with every entry; gaps are possible. */
  readonly sequence: number;
  readonly time: Date;
}

/** The audit log: entries are added and read, never changed or removed; the database itself refuses it. */
export interface AuditStore {
  /** Adds entries in one transaction. */
  appendAudit(entries: readonly NewAuditEntry[]): Promise<void>;
  /** Entries after a sequence number (0: from the first), of one tenant if one is given, in a span of time if one is given. */
  listAudit(page: {
    after: number;
    limit: number;
    tenant?: string;
    since?: Date;
    until?: Date;
  }): Promise<AuditEntry[]>;
}
