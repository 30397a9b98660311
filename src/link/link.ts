import type { Duplex } from "node:stream";
import { LinkError, limits, monotonicNow, Redial } from "@valinor/protocol";
import { waitAtMost } from "../waits/waits.ts";
import type { Connection, ConnectionOptions } from "./connection.ts";
import type { DialTicket } from "./dials.ts";
import type { ConnectionOwner, LinkConnection } from "./link-connection.ts";
import { openConnection } from "./open.ts";

/** What a link needs. */
export interface LinkOptions extends ConnectionOptions {
  /** Connects to the guest; rejects with LinkError. */
  dial(signal: AbortSignal): Promise<Duplex>;
  /** The link is up; called before anybody who waits gets the connection. */
  onUp(connection: Connection): void;
  /** The link is down, or an attempt has failed. */
  onDown(reason: LinkError): void;
}

/** A lasting link to one guest: it dials until it is closed, one attempt at a time. */
export interface Link {
  /** The connection that is up, if one is. */
  readonly current: Connection | undefined;
  /** Why there is none, as the last attempt or loss said; empty while up. */
  readonly lastError: string;
  /**
   * The connection, waiting for it at most 5 s and no longer than the signal. A wait cuts the pause before the next attempt
   * short. Rejects with LinkError `unreachable` that names the last failure.
   */
  ready(signal: AbortSignal): Promise<Connection>;
  /** Ends the link for good. */
  close(reason: LinkError): void;
}

/** Makes a link and starts to dial. */
export function createLink(options: LinkOptions): Link {
  return new DialledLink(options);
}

/** Drives the rules of redials (`Redial`): dials, pauses, and tells its owner and those who wait. */
class DialledLink implements Link, ConnectionOwner {
  readonly #options: LinkOptions;
  readonly #redial = new Redial();
  #current: LinkConnection | undefined;
  #lastError = "not dialled yet";
  #attempt: AbortController | undefined; // of the attempt that is under way
  #ticket: DialTicket | undefined; // while too many others are dialling
  #pause: NodeJS.Timeout | undefined; // until the next attempt
  #waiters: Set<() => void> | undefined;
  #isClosed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#dial();
  }

  get current(): Connection | undefined {
    return this.#current;
  }

  get lastError(): string {
    return this.#lastError;
  }

  async ready(signal: AbortSignal): Promise<Connection> {
    const end = monotonicNow() + limits.requestDialMs;
    // More than once if a connection is lost again before this wait has gone on.
    for (;;) {
      if (this.#current !== undefined) return this.#current;
      const left = end - monotonicNow();
      if (left <= 0 || signal.aborted || this.#isClosed) throw new LinkError("unreachable", this.#lastError);
      await this.#nextUp(left, signal);
    }
  }

  close(reason: LinkError): void {
    this.#isClosed = true;
    clearTimeout(this.#pause);
    this.#attempt?.abort(reason);
    this.#current?.close(reason);
    this.#wakeAll();
  }

  connectionClosed(connection: Connection, reason: LinkError): void {
    // Not from within: whoever closed it, perhaps while it was told `onUp`, is to finish first.
    queueMicrotask(() => {
      if (connection === this.#current) this.#down(reason);
    });
  }

  /** Begins an attempt. */
  #dial(): void {
    this.#redial.begun();
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#try(attempt)
      .then((connection) => this.#up(connection))
      .catch((error: unknown) => {
        const reason = LinkError.from(error, "unreachable");
        this.#current?.close(reason);
        this.#down(reason);
      });
  }

  async #try(attempt: AbortController): Promise<LinkConnection> {
    const { signal } = attempt;
    const end = this.#options.intake.dials.begin() ?? (await this.#dialTurn(signal));
    // Not AbortSignal.timeout: that lives for as long as its time, and ten thousand of them leave holes in the heap.
    const late = setTimeout(() => attempt.abort(tooLate()), limits.helloMs);
    try {
      const socket = await this.#options.dial(signal);
      return await openConnection(socket, this.#options, signal, this);
    } finally {
      clearTimeout(late);
      end();
    }
  }

  /** Waits until not too many others are dialling. */
  async #dialTurn(stop: AbortSignal): Promise<() => void> {
    const { dials } = this.#options.intake;
    for (;;) {
      this.#ticket = dials.wait(stop);
      if (this.#waiters !== undefined) this.#ticket.hurry();
      await this.#ticket.turn;
      this.#ticket = undefined;
      if (stop.aborted) throw new LinkError("closed", "the link was closed");
      const end = dials.begin();
      if (end !== undefined) return end;
    }
  }

  #up(connection: LinkConnection): void {
    this.#attempt = undefined;
    this.#current = connection;
    this.#lastError = "";
    this.#redial.up(monotonicNow());
    this.#options.onUp(connection);
    this.#wakeAll();
    if (this.#isClosed) connection.close(new LinkError("closed", "the link was closed"));
    // The end may have come together with the hello.
    if (connection.ended !== undefined) this.connectionClosed(connection, connection.ended);
  }

  #down(reason: LinkError): void {
    this.#attempt = this.#current = undefined;
    this.#lastError = reason.message;
    this.#options.onDown(reason);
    if (this.#isClosed) return;
    this.#redial.down(monotonicNow(), this.#waiters !== undefined, Math.random());
    this.#arm();
  }

  /** Has the next attempt begin when it is due, if none is under way. */
  #arm(): void {
    const { at } = this.#redial;
    if (at === undefined) return;
    clearTimeout(this.#pause);
    this.#pause = setTimeout(() => this.#dial(), Math.max(0, at - monotonicNow()));
  }

  #wakeAll(): void {
    for (const wake of this.#waiters ?? []) wake();
  }

  /** Has the link dial now, and waits until it is up or closed. */
  async #nextUp(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiters = (this.#waiters ??= new Set<() => void>());
    waiters.add(resolve);
    this.#redial.wanted(monotonicNow());
    this.#arm();
    this.#ticket?.hurry();
    await waitAtMost(promise, ms, signal);
    waiters.delete(resolve);
    if (waiters.size === 0 && waiters === this.#waiters) this.#waiters = undefined;
  }
}

function tooLate(): Error {
  return new Error(`no connection within ${limits.helloMs / 1_000} s`);
}
