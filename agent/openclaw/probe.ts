import type { Bounds } from "../bounds.ts";
import type { ServerKind } from "./request.ts";

/** How OpenClaw is, as heartbeats tell it. */
export type ServerState = "ready" | "starting" | "down";

/** What is known of the server. */
export interface Probe {
  /** `starting` until the first answer. */
  readonly state: ServerState;
  /** What kind of server it is; undefined before it ever answered. */
  readonly kind: ServerKind | undefined;
  /** Resolves when the kind is known, or one probe has failed to find out. Never rejects. */
  ready(): Promise<void>;
  /** Asks now, not at the next turn; the first call begins the turns. */
  hurry(): void;
  close(): void;
}

/**
 * Makes a probe that asks `/readyz` every `probeMs` once it was hurried: 200 is an OpenClaw that is ready, 503 one that is not, another answer an
 * ordinary server. `ask` resolves with the status, within its own deadline. `onChange` is called when state or kind changes.
 */
export function createProbe(
  bounds: Pick<Bounds, "probeMs">,
  ask: () => Promise<number>,
  onChange: () => void,
): Probe {
  let state: ServerState = "starting"; // nothing is known yet
  let kind: ServerKind | undefined;
  let asking: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  async function look(): Promise<void> {
    const status = await ask().catch(() => undefined);
    if (closed) return;
    const before = { state, kind };
    if (status === 200 || status === 503) kind = "openclaw";
    else if (status !== undefined && status < 500) kind = "plain";
    state = stateOf(status);
    asking = undefined;
    timer = setTimeout(turn, bounds.probeMs);
    if (before.state !== state || before.kind !== kind) onChange();
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

function stateOf(status: number | undefined): ServerState {
  if (status === 503) return "starting";
  return status === undefined || status >= 500 ? "down" : "ready";
}
