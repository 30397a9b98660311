import { setTimeout as sleep } from "node:timers/promises";
import { ValinorError } from "@valinor/client";
import type { GetAgentStatusResponse } from "@valinor/proto/valinor/v1/agent_proxy";
import { AgentStatus, ConfigState } from "@valinor/proto/valinor/v1/types";
import { CliError } from "../terminal/errors.ts";
import { neutralise } from "./output.ts";
import { type Progress, showProgress } from "./talk/progress.ts";
import type { Session } from "./session.ts";
import { monotonicNow } from "@valinor/protocol";

const POLL_MS = 250;

/** Flags of the commands that change what an agent is to have. */
export interface WaitOptions {
  /** False: not waited for. Default true. */
  readonly wait?: boolean;
  /** Longest wait, in seconds. */
  readonly timeout: number;
}

/** What became of a change. */
export interface Outcome {
  readonly applied: boolean;
  /** Why not; empty if applied. */
  readonly reason: string;
  /** True if the agent turned it down, as it will again. */
  readonly refused?: boolean;
}

/** A change that the server has stored. */
export interface Change {
  readonly agentId: string;
  /** What it is, for people: `revision 4`. */
  readonly what: string;
  /** Revision that the agent is to have; 0: whichever is desired. */
  readonly revision: number;
}

/**
 * Waits until the agent has a change that was stored and not applied at once, with progress on stderr. Resolves with what became of it:
 * also when the agent refused it, is not to run, another revision came, or the time is over. Rejects as the session's signal does.
 */
export async function untilApplied(
  session: Session,
  change: Change,
  first: Outcome,
  { wait, timeout }: WaitOptions,
): Promise<Outcome> {
  if (first.applied || wait === false || timeout === 0) return first;
  const progress = showProgress(progressText(change, first.reason));
  try {
    return await poll(session, change, first, monotonicNow() + timeout * 1000, progress);
  } finally {
    progress.stop();
  }
}

/** The error that ends a command whose change is stored and not applied: exit code 3. */
export function notApplied({ agentId, what }: Change, { reason, refused }: Outcome): CliError {
  const hint =
    refused === true
      ? "Correct it and push it again, or go back: valinor config rollback."
      : `It is applied as soon as the agent takes it; valinor doctor ${agentId} says what is wrong.`;
  const text = `${what} is stored, and ${agentId} has not applied it: ${reason || "no reason given"}\n  ${hint}`;
  return new CliError(neutralise(text), { exitCode: 3 });
}

async function poll(
  session: Session,
  change: Change,
  first: Outcome,
  deadline: number,
  progress: Progress,
): Promise<Outcome> {
  let outcome = first;
  while (monotonicNow() < deadline) {
    const known = await lookUp(session, change.agentId);
    const judged = known === undefined ? undefined : judge(change, known);
    if (judged?.final === true) return judged.outcome;
    if (judged !== undefined) {
      outcome = judged.outcome;
      progress.update(progressText(change, outcome.reason));
    }
    await sleep(POLL_MS, undefined, { signal: session.signal }).catch(() => session.signal.throwIfAborted());
  }
  return outcome;
}

/** Undefined if the server does not answer now, or does not let the caller look. */
async function lookUp(session: Session, agentId: string): Promise<GetAgentStatusResponse | undefined> {
  try {
    return await session.client.status(agentId, session.call);
  } catch (error) {
    session.signal.throwIfAborted();
    if (error instanceof ValinorError && error.code === "unavailable") return undefined;
    throw error;
  }
}

function judge({ revision }: Change, known: GetAgentStatusResponse): { final: boolean; outcome: Outcome } {
  const { configState, configReason, desiredRevision } = known;
  if (revision > 0 && desiredRevision > revision)
    return end(`revision ${desiredRevision} was stored after it`);
  if (configState === ConfigState.APPLIED || configState === ConfigState.ASSUMED)
    return { final: true, outcome: { applied: true, reason: "" } };
  if (configState === ConfigState.REFUSED)
    return { final: true, outcome: { applied: false, reason: configReason, refused: true } };
  if (known.status !== AgentStatus.RUNNING) return end("its machine is not running");
  const away = known.connected ? "" : known.lastError;
  return { final: false, outcome: { applied: false, reason: away || configReason } };
}

function end(reason: string): { final: true; outcome: Outcome } {
  return { final: true, outcome: { applied: false, reason } };
}

function progressText({ agentId, what }: Change, reason: string): string {
  return `waiting for ${agentId} to apply ${what}${reason === "" ? "" : ` (${reason})`}`;
}
