import { transientReasons, unsureReasons } from "../../../clients/ts/src/reasons.ts";
import type { Clock } from "../engine/clock.ts";
import type { History } from "../engine/history.ts";
import type { Chance } from "../engine/random.ts";
import { sleep, type Tasked } from "../engine/task.ts";
import { ApiError } from "./api-error.ts";
import type { Call, Reply } from "./call.ts";
import type { StreamInput } from "./calls.ts";

/** Pauses between attempts, as clients/ts has them. */
const FIRST_MS = 200;
const LONGEST_MS = 5_000;
/** A server that says nothing for this long is gone. */
const SILENCE_MS = 45_000;

/** What reads a run. */
export interface ReadPlan {
  readonly op: string;
  readonly agent: string;
  readonly run: string;
  /** Absent: the run exists. */
  readonly message: string | undefined;
  readonly giveUpAfterMs: number;
  /** Leaves after so many events; Infinity: never. */
  readonly leaveAfter: number;
  /** Milliseconds that the reader thinks over each event. */
  readonly thinkMs: number;
}

/** What readers need of the world. */
export interface ReaderParts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly history: History;
  /** Calls a host; the name of the one that was chosen. Undefined if none can be reached. */
  stream(input: StreamInput): { readonly call: Call; readonly host: string } | undefined;
}

/** Where the reading of a run stands: clients/ts/src/run.ts. */
interface Progress {
  sequence: number;
  life: string;
  delivery: "none" | "unsure" | "sure";
  host: string;
}

/** The client left before the end. */
export class Left extends Error {}

/**
 * Reads a run through all cuts, by the rules of clients/ts: once the agent may have the message it only attaches, and it sends the message
 * again only after the agent said that it never heard of it. Throws the ApiError that it ends with.
 */
export function* readRun(parts: ReaderParts, plan: ReadPlan): Tasked<void> {
  const progress: Progress = {
    sequence: 0,
    life: "",
    delivery: plan.message === undefined ? "sure" : "none",
    host: "",
  };
  const outages = new Outages(parts, plan.giveUpAfterMs);
  for (;;) {
    try {
      if (yield* readOnce(parts, plan, progress, outages)) return;
      throw new ApiError("CONNECTION_LOST");
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.sequence !== undefined) noteLast(parts, plan, progress, error);
      if (!meansAgain(progress, error)) yield* outages.wait(error);
    }
  }
}

/** One call; true if the run ended. */
function* readOnce(
  parts: ReaderParts,
  plan: ReadPlan,
  progress: Progress,
  outages: Outages,
): Tasked<boolean> {
  const opened = parts.stream(inputOf(plan, progress));
  if (opened === undefined) throw new ApiError("CONNECTION_LOST");
  const { call, host } = opened;
  progress.host = host;
  for (;;) {
    const reply = call.take();
    if (reply === undefined) {
      if (call.end?.error !== undefined) throw call.end.error;
      if (call.end !== undefined) return false;
      const isNews = yield { signals: [call.news], ms: SILENCE_MS };
      if (!isNews) {
        call.leave();
        throw new ApiError("CONNECTION_LOST");
      }
      continue;
    }
    if (reply.kind !== "opened") outages.over();
    if (advance(parts, plan, progress, reply)) return true;
    if (progress.sequence >= plan.leaveAfter) {
      call.leave();
      throw new Left();
    }
    if (plan.thinkMs > 0 && reply.kind === "text") yield* sleep(plan.thinkMs);
  }
}

/** Takes a reply into account; true if it is the last. */
function advance(parts: ReaderParts, plan: ReadPlan, progress: Progress, reply: Reply): boolean {
  const { op, agent, run } = plan;
  if (reply.kind === "opened") {
    progress.delivery = "sure";
    progress.life = reply.life;
    const { life, birth } = reply;
    parts.history.record({ kind: "opened", op, run, life, host: progress.host, birth });
    return false;
  }
  if (!("sequence" in reply) || reply.sequence <= progress.sequence) return false;
  if (reply.sequence !== progress.sequence + 1) throw new ApiError("SEQUENCE_GAP");
  progress.sequence = reply.sequence;
  const { life, host } = progress;
  const { sequence, event } = reply;
  const isLast = reply.kind === "done";
  parts.history.record({ kind: "read", op, agent, run, life, sequence, event, isLast, host });
  return isLast;
}

/** An error that ended the run is its last event. */
function noteLast(
  parts: ReaderParts,
  { op, agent, run }: ReadPlan,
  progress: Progress,
  error: ApiError,
): void {
  const sequence = Number(error.sequence);
  if (sequence <= progress.sequence) return;
  const { life, host } = progress;
  const event = `${error.reason} ${error.metadata["code"] ?? ""}`.trim();
  parts.history.record({ kind: "read", op, agent, run, life, sequence, event, isLast: true, host });
}

function inputOf(plan: ReadPlan, progress: Progress): StreamInput {
  const { agent, run, message } = plan;
  return {
    agent,
    run,
    message: progress.delivery === "none" ? message : undefined,
    afterSequence: progress.sequence,
    life: progress.life,
    onDisconnect: "continue",
  };
}

/** True if the message may simply be sent again. Takes down whether the agent may have it. */
function meansAgain(progress: Progress, error: ApiError): boolean {
  if (progress.delivery === "unsure" && error.reason === "RUN_UNKNOWN") {
    progress.delivery = "none";
    return true;
  }
  const isUnsure = unsureReasons.has(error.reason) || error.metadata["last_sequence"] !== undefined;
  if (progress.delivery === "none" && isUnsure) progress.delivery = "unsure";
  return false;
}

/** The outages of one call: clients/ts/src/retry.ts. */
export class Outages {
  readonly #parts: Pick<ReaderParts, "clock" | "chance" | "history">;
  readonly #giveUpAfterMs: number;
  #began: number | undefined;
  #attempt = 0;

  constructor(parts: Pick<ReaderParts, "clock" | "chance" | "history">, giveUpAfterMs: number) {
    this.#parts = parts;
    this.#giveUpAfterMs = giveUpAfterMs;
  }

  /** Something new came. */
  over(): void {
    this.#began = undefined;
    this.#attempt = 0;
  }

  /** Waits until the call may be made again, or throws the error. */
  *wait(error: ApiError): Tasked<void> {
    const { clock, chance, history } = this.#parts;
    if (error.sequence !== undefined || !transientReasons.has(error.reason)) throw error;
    this.#began ??= clock.now;
    const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#attempt++);
    const ms = Math.max(chance.between(0, longest), error.retryMs * chance.between(1, 1.25));
    if (clock.now - this.#began + ms > this.#giveUpAfterMs) throw error;
    history.count(`client: again after ${error.reason}`);
    yield* sleep(ms);
  }
}
