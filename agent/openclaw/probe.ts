import { isObject } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import type { ServerKind } from "../settings/options.ts";

/** How OpenClaw is, as heartbeats tell it. */
export type ServerState = "ready" | "starting" | "down";

/** What is known of the server. */
export interface Probe {
  /** `starting` until the first answer. */
  readonly state: ServerState;
  /** What kind of server it is; undefined before that could be told. */
  readonly kind: ServerKind | undefined;
  /** How that is known, or why it is not: a sentence for people. Empty before the first answer. */
  readonly kindReason: string;
  /** Resolves when the kind is known, or one probe has failed to find out. Never rejects. */
  ready(): Promise<void>;
  /** Asks now, not at the next turn; the first call begins the turns. */
  hurry(): void;
  close(): void;
}

/** An answer to `GET /readyz`. */
export interface ReadyAnswer {
  readonly status: number;
  readonly body: string;
}

/** How a probe asks, each within its own deadline. */
export interface ProbeQuestions {
  /** Rejects where there is no answer. */
  ready(): Promise<ReadyAnswer>;
  /** Whether the server greets a WebSocket as OpenClaw's gateway does. Never rejects. */
  greets(): Promise<boolean>;
}

/** An OpenClaw that answers otherwise for so many times one after the other is none any more. */
const DOUBTS = 3;

/**
 * Makes a probe that asks `/readyz` every `probeMs` once it was hurried. OpenClaw is told by something of its own, never by a status
 * alone: the object that it answers, or else its gateway's greeting. Another answer below 500 is that of an ordinary server. A
 * kind that is known changes only where the other is shown: no failure on the way changes it. `told` decides instead, where it is
 * given. `onChange` is called when state or kind changes.
 */
export function createProbe(
  bounds: Pick<Bounds, "probeMs">,
  ask: ProbeQuestions,
  told: ServerKind | undefined,
  onChange: () => void,
): Probe {
  let state: ServerState = "starting"; // nothing is known yet
  let kind = told;
  let kindReason = told === undefined ? "" : "told by --server-kind";
  let doubts = 0;
  let asking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  /** Takes what an answer says of the kind. */
  async function judge(answer: ReadyAnswer | undefined): Promise<void> {
    if (told !== undefined) return;
    if (answer === undefined) {
      if (kind === undefined) kindReason = "it gives no answer to /readyz";
      return;
    }
    const { status } = answer;
    if (isOpenClaws(answer)) return settle("openclaw", "it answers /readyz as OpenClaw does");
    const mayBe = (status === 200 && kind !== "plain") || (status === 503 && kind === undefined);
    if (mayBe && (await ask.greets())) return settle("openclaw", "its gateway greets as OpenClaw's does");
    const otherwise = `it answers /readyz with ${status}, and not as OpenClaw does`;
    if (status >= 500) {
      if (kind === undefined) kindReason = `${otherwise}; --server-kind can tell what it is`;
    } else if (kind !== "openclaw" || ++doubts >= DOUBTS) settle("plain", otherwise);
  }

  function settle(found: ServerKind, reason: string): void {
    kind = found;
    kindReason = reason;
    doubts = 0;
  }

  async function look(): Promise<void> {
    const answer = await ask.ready().catch(() => undefined);
    const before = { state, kind, kindReason };
    await judge(answer);
    if (closed) return;
    state = doubts > 0 ? "starting" : stateOf(answer?.status);
    asking = undefined;
    timer = setTimeout(turn, bounds.probeMs);
    if (before.state !== state || before.kind !== kind || before.kindReason !== kindReason) onChange();
  }

  function turn(): void {
    clearTimeout(timer);
    if (!closed) asking ??= look();
  }

  return {
    get state() {
      return state;
    },
    get kind() {
      return kind;
    },
    get kindReason() {
      return kindReason;
    },
    async ready() {
      if (kind !== undefined) return;
      turn();
      await asking;
    },
    hurry: turn,
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** True for what OpenClaw alone answers: whether it is ready, and what keeps it from that. */
function isOpenClaws({ status, body }: ReadyAnswer): boolean {
  if (status !== 200 && status !== 503) return false;
  try {
    const value = JSON.parse(body) as unknown;
    return isObject(value) && typeof value["ready"] === "boolean" && Array.isArray(value["failing"]);
  } catch {
    return false; // no JSON: some other server's
  }
}

function stateOf(status: number | undefined): ServerState {
  if (status === 503) return "starting";
  return status === undefined || status >= 500 ? "down" : "ready";
}
