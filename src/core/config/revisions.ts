import type { AgentHandle } from "../../fleet/handle.ts";
import type { AgentKey, ConfigRecord, NewConfig, Store } from "../../store/store.ts";
import { configDigest } from "@valinor/protocol";
import { changedPaths } from "./changed-paths.ts";
import { ValinorError } from "../errors.ts";
import type { Gate } from "../access/gate.ts";
import { translate } from "../guest-errors.ts";
import type { CoreOptions } from "../options.ts";
import { createPageRoom } from "../registry/page-bytes.ts";
import { decodePageToken, encodePageToken } from "../registry/page-token.ts";
import { redact } from "../audit/redact.ts";
import type { Caller, ConfigRevisionPage, ConfigRevisionView, Core, PushResult } from "../types.ts";

/** Stores a sealed configuration as a new revision, and pushes it as pushConfig does. Rejects with errors of the layers below. */
export type StoreAndPush = (
  agent: AgentHandle,
  next: Omit<NewConfig, "actor">,
  caller: Caller,
  signal: AbortSignal,
) => Promise<PushResult>;

/** Revisions of a page where the client names no number. */
const PAGE = 100;
/** What a revision's number looks like. */
const REVISION = /^[1-9]\d{0,9}$/;
/** Revisions read from the store at once; each may have 1 MiB. */
const READ = 8;

/** The call that lists an agent's configurations. */
export function createRevisionList({ store }: CoreOptions, gate: Gate): Pick<Core, "listConfigRevisions"> {
  return {
    async listConfigRevisions(caller, { agentId, pageSize, pageToken }) {
      await gate.check(caller, "listConfigRevisions", agentId);
      const scope = `revisions ${agentId}`;
      const before = Number(decodePageToken(scope, pageToken, REVISION));
      const key = { tenant: caller.tenant, id: agentId };
      try {
        const page = await readPage(store, key, before, pageSize === 0 ? PAGE : pageSize);
        if (before === 0 && page.revisions.length === 0)
          throw notFound("AGENT_NOT_FOUND", `agent ${agentId}`);
        const { revisions, next } = page;
        return { revisions, nextPageToken: next === 0 ? "" : encodePageToken(scope, String(next)) };
      } catch (error) {
        throw translate(error).with({ agent_id: agentId });
      }
    },
  };
}

/** The call that brings an old configuration back. */
export function createRollback(
  { store, vault }: CoreOptions,
  gate: Gate,
  find: (caller: Caller, agentId: string) => AgentHandle | Promise<AgentHandle>,
  storeAndPush: StoreAndPush,
): Pick<Core, "rollbackConfig"> {
  return {
    async rollbackConfig(caller, { agentId, revision, expectedRevision }, signal) {
      await gate.check(caller, "rollbackConfig", agentId);
      const agent = await find(caller, agentId);
      try {
        const old = await store.getConfig(agent.record, revision);
        if (old === undefined) throw notFound("REVISION_NOT_FOUND", `revision ${revision}`);
        const { policy } = old;
        // Every secret is kept, and sealed with the key of today.
        const config = vault.seal(agent.record, redact(old.config), old.config);
        const sha256 = configDigest(config, policy);
        const next = { config, policy, sha256, rollbackOf: revision, expectedRevision };
        return await storeAndPush(agent, next, caller, signal);
      } catch (error) {
        throw translate(error).with({ agent_id: agentId });
      }
    },
  };
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
    `there is no ${what}${reason === "REVISION_NOT_FOUND" ? ", or it is kept no more" : ""}`,
  );
}
