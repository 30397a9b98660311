import type { Duplex } from "node:stream";
import { LinkError, limits, monotonicNow } from "@valinor/protocol";
import { backoffMs, pauseFor, waitAtMost } from "./backoff.ts";
import type { Connection, ConnectionOptions } from "./connection.ts";
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

/** A request that waits for the link lets attempts follow each other at most this far apart. */
const WAITED_FOR_MS = 250;

/** A connection that lasts shorter, milliseconds, counts like a failed attempt: a guest that flaps must not keep its host busy. */
const STEADY_MS = 10_000;
/** As many of them in a row make the pause longer, to 1.6 s at most: a guest that starts a few times is there soon. */
const FLAPS = 5;

/** Makes a link and starts to dial. */
export function createLink(options: LinkOptions): Link {
  const { dials } = options.intake;
  const stop = new AbortController();
  let current: Connection | undefined;
  let lastError = "not dialled yet";
  const waiters = new Set<() => void>();
  let poke: () => void = () => {};

  async function attempt(): Promise<Connection> {
    const end = dials.begin() ?? (await dialTurn());
    try {
      const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(limits.helloMs)]);
      const socket = await options.dial(signal);
      return await openConnection(socket, options, signal);
    } finally {
      end();
    }
  }

  /** Waits until not too many others are dialling. */
  async function dialTurn(): Promise<() => void> {
    for (;;) {
      const ticket = dials.wait(stop.signal);
      poke = () => ticket.hurry();
      if (waiters.size > 0) ticket.hurry();
      await ticket.turn;
      if (stop.signal.aborted) throw new LinkError("closed", "the link was closed");
      const end = dials.begin();
      if (end !== undefined) return end;
    }
  }

  /** Pauses before an attempt: a random time, cut short by a request, but never below the least one. */
  async function pause(failures: number): Promise<void> {
    await pauseFor(limits.redialMinMs, stop.signal);
    const most = waiters.size > 0 ? WAITED_FOR_MS : limits.redialMaxMs;
    const poked = new Promise<void>((resolve) => {
      poke = resolve;
    });
    await waitAtMost(poked, Math.min(backoffMs(failures), most), stop.signal);
  }

  async function run(): Promise<void> {
    let flaps = 0;
    for (let failures = 0; !stop.signal.aborted; failures++) {
      try {
        const connection = await attempt();
        const upAt = monotonicNow();
        up(connection);
        const reason = await connection.closed;
        failures = flaps = monotonicNow() - upAt < STEADY_MS ? Math.min(flaps + 1, FLAPS) : 0;
        down(reason);
      } catch (error) {
        down(LinkError.from(error, "unreachable"));
      }
      if (!stop.signal.aborted) await pause(failures);
    }
  }

  function up(connection: Connection): void {
    current = connection;
    lastError = "";
    options.onUp(connection);
    wakeAll();
    if (stop.signal.aborted) connection.close(new LinkError("closed", "the link was closed"));
  }

  function down(reason: LinkError): void {
    current = undefined;
    lastError = reason.message;
    options.onDown(reason);
  }

  function wakeAll(): void {
    for (const wake of waiters) wake();
  }

  /** Has the link dial now, and waits until it is up or closed. */
  async function nextUp(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    waiters.add(resolve);
    poke();
    await waitAtMost(promise, ms, signal);
    waiters.delete(resolve);
  }

  void run();
  return {
    get current() {
      return current;
    },
    get lastError() {
      return lastError;
    },
    async ready(signal) {
      const end = monotonicNow() + limits.requestDialMs;
      // More than once where a connection is lost again before this wait has gone on.
      for (;;) {
        if (current !== undefined) return current;
        const left = end - monotonicNow();
        if (left <= 0 || signal.aborted || stop.signal.aborted) throw new LinkError("unreachable", lastError);
        await nextUp(left, signal);
      }
    },
    close(reason) {
      stop.abort(reason);
      current?.close(reason);
      wakeAll();
    },
  };
}
