import type { Clock } from "../engine/clock.ts";
import type { Chance } from "../engine/random.ts";
import { Signal } from "../engine/task.ts";
import { ApiError } from "./api-error.ts";

/** What a host answers. */
export type Reply =
  | { readonly kind: "opened"; readonly life: string; readonly birth: number }
  | { readonly kind: "text" | "tool_call"; readonly sequence: number; readonly event: string }
  | { readonly kind: "done"; readonly sequence: number; readonly event: string }
  | { readonly kind: "keepalive" }
  | { readonly kind: "result"; readonly value: unknown }
  | {
      readonly kind: "watched";
      readonly event: "agent" | "deleted" | "complete" | "resync";
      readonly agent: string;
      readonly look: string;
    };

/** Replies that are on their way to a client or wait there: with more the host waits, as HTTP/2 has it do. */
const WINDOW = 8;

/** One call of a client at a host, and the connection that carries it. */
export class Call {
  /** What came and was not taken, at the client. */
  readonly replies: Reply[] = [];
  /** How the call ended, at the client; an error, or undefined for a good end. */
  end: { readonly error: ApiError | undefined } | undefined;
  /** Something came, at the client. */
  readonly news = new Signal();
  /** At the host: the client has left, or its connection is lost. */
  isAborted = false;
  /** At the host: the client left, or has taken something. */
  readonly stirred = new Signal();
  readonly #clock: Clock;
  readonly #chance: Chance;
  #onAbort: () => void = () => {};
  #inFlight = 0;
  #lastAt = 0;
  #isCut = false;
  #heldUntil = 0;

  constructor(clock: Clock, chance: Chance) {
    this.#clock = clock;
    this.#chance = chance;
  }

  /** At the host: called once if the client leaves before the end. */
  onAbort(run: () => void): void {
    this.#onAbort = run;
  }

  /** At the host: true if another reply may be sent. */
  get hasRoom(): boolean {
    return this.#inFlight < WINDOW;
  }

  /** True if nothing that was sent is still on its way or waits to be taken. */
  get isDrained(): boolean {
    return this.#inFlight === 0;
  }

  /** At the host: sends a reply. */
  reply(reply: Reply): void {
    this.#inFlight++;
    this.#deliver(() => {
      this.replies.push(reply);
      this.news.wake();
    });
  }

  /** At the host: ends the call. */
  finish(error: ApiError | undefined): void {
    this.#deliver(() => this.#ended(error));
  }

  /** At the client: takes what came. */
  take(): Reply | undefined {
    const reply = this.replies.shift();
    if (reply === undefined) return undefined;
    this.#inFlight--;
    this.stirred.wake();
    return reply;
  }

  /** At the client: leaves. The host learns of it a little later. */
  leave(): void {
    this.end ??= { error: new ApiError("CLIENT_GONE") };
    this.#isCut = true;
    this.#clock.after(this.#chance.between(0.1, 5), () => this.#abort());
  }

  /** The connection breaks, and both sides are told. */
  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#clock.after(this.#chance.between(0.1, 5), () => this.#ended(new ApiError("CONNECTION_LOST")));
    this.#clock.after(this.#chance.between(0.1, 5), () => this.#abort());
  }

  /** Nothing passes to the client for a while. */
  stall(ms: number): void {
    this.#heldUntil = this.#clock.now + ms;
  }

  #abort(): void {
    if (this.isAborted) return;
    this.isAborted = true;
    this.#onAbort();
    this.stirred.wake();
  }

  #ended(error: ApiError | undefined): void {
    this.end ??= { error };
    this.news.wake();
  }

  #deliver(arrive: () => void): void {
    const due = Math.max(this.#clock.now + this.#chance.between(0.1, 4), this.#lastAt, this.#heldUntil);
    this.#lastAt = due;
    this.#clock.at(due, () => {
      if (!this.#isCut) arrive();
    });
  }
}
