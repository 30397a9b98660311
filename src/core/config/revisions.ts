import { configDigest } from "@valinor/protocol";
import type { AgentKey, ConfigRecord, Store } from "../../store/store.ts";
import type { Gate } from "../access/gate.ts";
import { ValinorError } from "../errors.ts";
import { translate } from "../guest-errors.ts";
import type { ListRevisionsInput, RollbackInput } from "../inputs.ts";
import type { CoreOptions } from "../options.ts";
import type { FindAgent } from "../registry/find-agent.ts";
import { createPageRoom } from "../registry/page-bytes.ts";
import { decodePageToken, encodePageToken } from "../registry/page-token.ts";
import type { Caller, ConfigRevisionPage, ConfigRevisionView, PushResult } from "../types.ts";
import { changedPaths } from "./changed-paths.ts";
import { storeAndPush } from "./pushes.ts";
import { redact } from "./redact.ts";

/** Revisions of a page unless the client names another number. */
const DEFAULT_PAGE_SIZE = 100;
/** What a revision's number looks like. */
const isRevision = (text: string): boolean => /^[1-9]\d{0,9}$/.test(text);
/** Revisions read from the store at once; each may have 1 MiB. */
const READ = 8;

/** The calls about an agent's old configurations. */
export class RevisionCalls {
  readonly #options: Pick<CoreOptions, "store" | "vault" | "configMs" | "onUnheardError">;
  readonly #gate: Gate;
  readonly #find: FindAgent;

  constructor(
    options: Pick<CoreOptions, "store" | "vault" | "configMs" | "onUnheardError">,
    gate: Gate,
    find: FindAgent,
  ) {
    this.#options = options;
    this.#gate = gate;
    this.#find = find;
  }

  /** Core.listConfigRevisions. */
  async list(caller: Caller, input: ListRevisionsInput): Promise<ConfigRevisionPage> {
    const { agentId, pageSize, pageToken } = input;
    await this.#gate.check(caller, "listConfigRevisions", agentId);
    const scope = `revisions ${agentId}`;
    const before = Number(decodePageToken(scope, pageToken, isRevision));
    const key = { tenant: caller.tenant, id: agentId };
    try {
      const limit = pageSize === 0 ? DEFAULT_PAGE_SIZE : pageSize;
      const { revisions, next } = await readPage(this.#options.store, key, before, limit);
      if (before === 0 && revisions.length === 0) throw notFound("AGENT_NOT_FOUND", `agent ${agentId}`);
      return { revisions, nextPageToken: next === 0 ? "" : encodePageToken(scope, String(next)) };
    } catch (error) {
      throw translate(error).with({ agent_id: agentId });
    }
  }

  /** Core.rollbackConfig. */
  async rollback(caller: Caller, input: RollbackInput, signal: AbortSignal): Promise<PushResult> {
    const { agentId, revision, expectedRevision } = input;
    await this.#gate.check(caller, "rollbackConfig", agentId);
    const agent = await this.#find(caller, agentId);
    const { store, vault } = this.#options;
    try {
      const old = await store.getConfig(agent.record, revision);
      if (old === undefined) throw notFound("REVISION_NOT_FOUND", `revision ${revision}`);
      const { policy } = old;
      // Every secret is kept, and sealed with the key of today.
      const config = vault.seal(agent.record, redact(old.config), old.config);
      const sha256 = configDigest(config, policy);
      const next = { config, policy, sha256, rollbackOf: revision, expectedRevision };
      return await storeAndPush(this.#options, agent, next, caller, signal);
    } catch (error) {
      throw translate(error).with({ agent_id: agentId });
    }
  }
}

/** Revisions below `before` (0: all); `next` is where to go on, 0 at the end. */
async function readPage(
  store: Store,
  key: AgentKey,
  before: number,
  limit: number,
): Promise<{ revisions: ConfigRevisionPage["revisions"]; next: number }> {
  const revisions: ConfigRevisionView[] = [];
  const room = createPageRoom();
  const add = (record: ConfigRecord, older: ConfigRecord | undefined) => {
    const view = viewOf(record, older);
    const fits = room.take(view);
    if (fits) revisions.push(view);
    return fits;
  };
  const lastShown = () => revisions.at(-1)?.revision ?? 0;
  let newer: ConfigRecord | undefined;
  // Each is shown once the one before it is known, which tells what changed.
  for await (const record of readAll(store, key, before, limit + 1)) {
    if (newer !== undefined) {
      if (!add(newer, record) || revisions.length === limit) return { revisions, next: lastShown() };
    }
    newer = record;
  }
  const isWhole = newer === undefined || add(newer, undefined);
  return { revisions, next: isWhole ? 0 : lastShown() };
}

/** Revisions below `before`, the newest first, at most `most`. */
async function* readAll(
  store: Store,
  key: AgentKey,
  before: number,
  most: number,
): AsyncGenerator<ConfigRecord> {
  let left = most;
  for (let from = before; left > 0;) {
    const limit = Math.min(left, READ);
    const records = await store.listConfigs(key, { before: from, limit });
    yield* records;
    if (records.length < limit) return;
    left -= limit;
    from = records.at(-1)?.revision ?? 0;
  }
}

function viewOf(record: ConfigRecord, older: ConfigRecord | undefined): ConfigRevisionView {
  return {
    ...record,
    config: redact(record.config),
    changedPaths: older === undefined ? [] : changedPaths(older, record),
  };
}

function notFound(reason: "AGENT_NOT_FOUND" | "REVISION_NOT_FOUND", what: string): ValinorError {
  return new ValinorError(
    reason,
    `there is no ${what}${reason === "REVISION_NOT_FOUND" ? ", or it is no longer kept" : ""}`,
  );
}
