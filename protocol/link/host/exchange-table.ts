import { LinkError } from "../../wire/errors.ts";
import type { Frame } from "../../wire/frame.ts";
import { limits } from "../../wire/limits.ts";
import type { FrameType } from "../../wire/vocabulary.ts";
import type { CreditPool } from "./credit-pool.ts";
import { type Batch, type ExchangeKind, type ExchangeRules, HostExchange } from "./exchange.ts";
import { endsExchange, needsCredit } from "./frames.ts";
import type { Guest } from "./guest.ts";
import { LateExchanges } from "./late.ts";
import type { ExchangeReader, HostLinkOutput } from "./output.ts";

/** The exchanges of one link that are under way, and what is still to be expected of those that were given up. */
export class ExchangeTable {
  readonly #guest: Guest;
  readonly #credit: CreditPool;
  readonly #output: HostLinkOutput;
  readonly #rules: ExchangeRules;
  readonly #late: LateExchanges;
  #byId: Map<string, HostExchange> | undefined; // most links have none
  #messages = 0; // those that are of a message: while there are some, large frames may come
  #largeUntil = -1; // when no message is read any more

  constructor(guest: Guest, silenceMs: number, credit: CreditPool, output: HostLinkOutput) {
    this.#guest = guest;
    this.#credit = credit;
    this.#output = output;
    this.#rules = { credited: guest.credited, silenceMs: guest.silenceMs(silenceMs) };
    this.#late = new LateExchanges(guest.lateBytes);
  }

  /** How many are under way. */
  get size(): number {
    return this.#byId?.size ?? 0;
  }

  /** How many were given up whose guest may not know it yet. */
  get late(): number {
    return this.#late.size;
  }

  /** True for the id of an exchange that is under way. */
  has(id: string): boolean {
    return this.#byId?.has(id) === true;
  }

  /** Largest frame that the guest may begin now. */
  mostBytes(now: number): number {
    return this.#messages > 0 || now < this.#largeUntil ? limits.frameBytes : limits.smallFrameBytes;
  }

  /** As `HostLink.open`, of a link that is up. */
  open(
    id: string,
    type: FrameType,
    payload: object,
    kind: ExchangeKind,
    reader: ExchangeReader,
    now: number,
  ): HostExchange | undefined {
    if (kind === "message" && this.size >= this.#guest.mostMessages)
      throw new LinkError("busy", `${this.size} messages to the agent are under way`);
    const pool = this.#guest.credited && kind === "message" ? this.#credit : undefined;
    const window = pool?.first() ?? limits.creditWindow;
    const ticket = this.#output.offer(type, id, granting(payload, window));
    if (ticket === undefined) return undefined;
    const exchange = new HostExchange(id, kind, this.#rules, ticket, reader, now, window, pool);
    (this.#byId ??= new Map<string, HostExchange>()).set(id, exchange);
    if (kind === "message") this.#messages++;
    return exchange;
  }

  /** Hands a frame to the exchange that it names; false if none of that name is under way. */
  answer(frame: Frame, now: number): boolean {
    const exchange = this.#byId?.get(frame.id);
    if (exchange === undefined) return false;
    const last = endsExchange(frame);
    if (last) this.#forget(exchange, now);
    if (!exchange.push(frame, now, last, needsCredit(frame))) this.#giveUp(exchange, now);
    return true;
  }

  /** As `HostLink.take`. */
  take(exchange: HostExchange, now: number): Batch {
    const limit = exchange.release();
    if (limit !== undefined) this.#output.control("credit", exchange.id, { limit });
    return exchange.take(now);
  }

  /** As `HostLink.detach`. */
  detach(exchange: HostExchange, reason: LinkError, now: number): void {
    const wasOver = exchange.over;
    exchange.abandon(reason);
    if (!wasOver) this.#giveUp(exchange, now);
  }

  /** True if a frame of an exchange that was given up is forgiven. */
  forgives(id: string, size: number): boolean {
    return this.#late.forgives(id, size);
  }

  /** Forgets what was given up long ago. */
  tick(now: number): void {
    this.#late.tick(now);
  }

  /** Gives up those whose guest has been silent for too long, and has waiting readers get a keepalive. */
  checkSilence(now: number): void {
    if (this.#byId === undefined) return;
    for (const exchange of this.#byId.values()) if (exchange.silent(now)) this.#giveUp(exchange, now);
  }

  /** The link is lost: ends all of them. */
  end(reason: LinkError): void {
    const ended = this.#byId;
    this.#byId = undefined;
    this.#messages = 0;
    this.#late.clear();
    for (const exchange of ended?.values() ?? []) exchange.fail(lossOf(exchange, reason));
  }

  /** An exchange is over. */
  #forget(exchange: HostExchange, now: number): void {
    if (this.#byId?.delete(exchange.id) !== true) return;
    if (this.#byId.size === 0) this.#byId = undefined;
    if (exchange.kind === "message" && --this.#messages === 0) this.#largeUntil = now + limits.frameMs;
  }

  /** Nobody reads an exchange any more, and its guest does not know. */
  #giveUp(exchange: HostExchange, now: number): void {
    this.#forget(exchange, now);
    this.#late.add(exchange.id, now);
    if (exchange.kind === "message" && this.#guest.detaches) this.#output.control("detach", exchange.id, {});
  }
}

/** The payload of an opening frame, which grants so much instead of a whole window. */
function granting(payload: object, window: number): object {
  return window < limits.creditWindow && "credit" in payload ? { ...payload, credit: window } : payload;
}

/** What the loss of the link means to an exchange: whether the guest may have acted on it. */
function lossOf(exchange: HostExchange, reason: LinkError): LinkError {
  if (reason.code === "invalid_frame" || reason.code === "frame_too_large") return reason;
  const code = exchange.handed ? "interrupted" : "unreachable";
  return new LinkError(code, `the link to the agent was lost: ${reason.message}`, reason);
}
