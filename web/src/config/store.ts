import { type Signal, signal } from "@preact/signals";
import type { ConfigRevision } from "@valinor/proto/valinor/v1/agent_registry";
import { client } from "../api.ts";
import { type Problem, readProblem } from "../problem.ts";
import { checkJson } from "./json-check.ts";
import { type Draft, draftOf, policyOf, saysTheSame } from "./draft.ts";

/** What the configuration page of an agent knows. It lasts as long as the page, so that a draft survives a look elsewhere. */
export interface ConfigState {
  /** The newest first. */
  readonly revisions: Signal<readonly ConfigRevision[]>;
  readonly draft: Signal<Draft | undefined>;
  readonly problem: Signal<Problem | undefined>;
  /** What became of the last push or rollback. */
  readonly result: Signal<PushResult | undefined>;
  readonly busy: Signal<boolean>;
}

/** What became of a push. */
export interface PushResult {
  readonly revision: number;
  readonly applied: boolean;
  readonly reason: string;
}

const states = new Map<string, ConfigState>();

/** The state of an agent's configuration page. */
export function configOf(agentId: string): ConfigState {
  let state = states.get(agentId);
  if (state === undefined) {
    state = {
      revisions: signal([]),
      draft: signal(undefined),
      problem: signal(undefined),
      result: signal(undefined),
      busy: signal(false),
    };
    states.set(agentId, state);
  }
  return state;
}

/** Reads the revisions. A draft that nobody has changed follows the newest one. */
export async function readRevisions(agentId: string): Promise<void> {
  const { revisions, draft, problem } = configOf(agentId);
  try {
    const before = revisions.peek()[0];
    const page = await client.agents.listConfigRevisions({ agentId, pageSize: 100 });
    revisions.value = page.revisions;
    const [newest] = page.revisions;
    const unchanged =
      draft.peek() === undefined || (before && saysTheSame(draft.peek() as Draft, draftOf(before)));
    if (newest !== undefined && (unchanged ?? false)) draft.value = draftOf(newest);
    if (problem.peek()?.reason !== "REVISION_CONFLICT") problem.value = undefined;
  } catch (thrown) {
    problem.value = readProblem(thrown);
  }
}

/** Pushes the draft, expecting the revision that it began from, or another one that was looked at since. */
export function pushDraft(agentId: string, expectedRevision?: number): Promise<void> {
  return change(agentId, async () => {
    const draft = configOf(agentId).draft.peek();
    const checked = checkJson(draft?.config ?? "");
    if (draft === undefined || !checked.ok) throw new Error("the draft is not JSON");
    const pushed = await client.pushConfig(agentId, {
      config: checked.value,
      toolPolicy: policyOf(draft),
      expectedRevision: expectedRevision ?? draft.baseRevision,
    });
    configOf(agentId).draft.value = undefined;
    return pushed;
  });
}

/** Makes an old revision the newest. */
export function rollBack(agentId: string, revision: number): Promise<void> {
  const expectedRevision = configOf(agentId).revisions.peek()[0]?.revision ?? 0;
  return change(agentId, async () => {
    const request = { agentId, revision, expectedRevision };
    const made = await client.agents.rollbackConfig(request);
    configOf(agentId).draft.value = undefined;
    return made;
  });
}

/** Drops what was written for what the newest revision says. */
export function takeNewest(agentId: string): void {
  const { draft, revisions, problem } = configOf(agentId);
  const [newest] = revisions.peek();
  if (newest !== undefined) draft.value = draftOf(newest);
  problem.value = undefined;
}

async function change(agentId: string, call: () => Promise<PushResult>): Promise<void> {
  const { problem, result, busy } = configOf(agentId);
  busy.value = true;
  problem.value = undefined;
  result.value = undefined;
  try {
    const { revision, applied, reason } = await call();
    result.value = { revision, applied, reason };
  } catch (thrown) {
    problem.value = readProblem(thrown);
  } finally {
    busy.value = false;
    await readRevisions(agentId);
  }
}
