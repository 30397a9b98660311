import { isObject } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import type { ServerKind } from "../settings/options.ts";

/** How OpenClaw is, as heartbeats tell it. */
export type ServerState = "ready" | "starting" | "down";

/** An answer to `GET /readyz`. */
export interface ReadyAnswer {
  readonly status: number;
  readonly body: string;
}

/** How a probe asks, each within its own deadline. */
export interface ProbeQuestions {
  /** Rejects if there is no answer. */
  ready(): Promise<ReadyAnswer>;
  /** Whether the server greets a WebSocket as OpenClaw's gateway does. Never rejects. */
  greets(): Promise<boolean>;
}

/** A server that was OpenClaw counts as an ordinary one after so many answers in a row that OpenClaw would not give. */
const DOUBTS = 3;

/**
 * Asks `/readyz` every `probeMs` once it was hurried. OpenClaw is told by something of its own, never by a status alone: the object that it
 * answers, or else its gateway's greeting. Another answer below 500 is that of an ordinary server. A kind that is known changes only when
 * the other one is shown: no failure on the way changes it.
 */
export class Probe {
  readonly #probeMs: number;
  readonly #ask: ProbeQuestions;
  /** Told by a flag: nothing is found out then. */
  readonly #told: ServerKind | undefined;
  readonly #onChange: () => void;
  #state: ServerState = "starting"; // nothing is known yet
  #kind: ServerKind | undefined;
  #kindReason: string;
  /** Answers in a row that an OpenClaw would not give. */
  #doubts = 0;
  #asking: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** If `told` is given, it decides the kind. `onChange` is called when state or kind changes. */
  constructor(
    bounds: Pick<Bounds, "probeMs">,
    ask: ProbeQuestions,
    told: ServerKind | undefined,
    onChange: () => void,
  ) {
    this.#probeMs = bounds.probeMs;
    this.#ask = ask;
    this.#told = told;
    this.#onChange = onChange;
    this.#kind = told;
    this.#kindReason = told === undefined ? "" : "told by --server-kind";
  }

  /** `starting` until the first answer. */
  get state(): ServerState {
    return this.#state;
  }

  /** What kind of server it is; undefined before that could be told. */
  get kind(): ServerKind | undefined {
    return this.#kind;
  }

  /** How that is known, or why it is not: a sentence for people. Empty before the first answer. */
  get kindReason(): string {
    return this.#kindReason;
  }

  /** Resolves when the kind is known, or one probe has failed to find out. Never rejects. */
  async ready(): Promise<void> {
    if (this.#kind !== undefined) return;
    this.hurry();
    await this.#asking;
  }

  /** Asks now, not at the next turn; the first call begins the turns. */
  hurry(): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#asking ??= this.#look();
  }

  /** Asks no more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    // No answer is news of its own: the state is `down`, and the kind's reason says why it is not known.
    const answer = await this.#ask.ready().catch(() => undefined);
    const [state, kind, reason] = [this.#state, this.#kind, this.#kindReason];
    await this.#judge(answer);
    if (this.#closed) return;
    this.#state = this.#doubts > 0 ? "starting" : stateOf(answer?.status);
    this.#asking = undefined;
    this.#timer = setTimeout(() => this.hurry(), this.#probeMs);
    if (state !== this.#state || kind !== this.#kind || reason !== this.#kindReason) this.#onChange();
  }

  /** Takes what an answer says of the kind. */
  async #judge(answer: ReadyAnswer | undefined): Promise<void> {
    if (this.#told !== undefined) return;
    if (answer === undefined) {
      if (this.#kind === undefined) this.#kindReason = "it gives no answer to /readyz";
      return;
    }
    if (isOpenClaws(answer)) return this.#settle("openclaw", "it answers /readyz as OpenClaw does");
    if (this.#mayGreet(answer.status) && (await this.#ask.greets()))
      return this.#settle("openclaw", "its gateway greets as OpenClaw's does");
    const otherwise = `it answers /readyz with ${answer.status}, and not as OpenClaw does`;
    if (answer.status >= 500) {
      if (this.#kind === undefined) this.#kindReason = `${otherwise}; --server-kind can tell what it is`;
    } else if (this.#kind !== "openclaw" || ++this.#doubts >= DOUBTS) this.#settle("plain", otherwise);
  }

  /** Whether the gateway is worth asking after such an answer. */
  #mayGreet(status: number): boolean {
    return (status === 200 && this.#kind !== "plain") || (status === 503 && this.#kind === undefined);
  }

  #settle(found: ServerKind, reason: string): void {
    this.#kind = found;
    this.#kindReason = reason;
    this.#doubts = 0;
  }
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
