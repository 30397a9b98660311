import type { Duplex } from "node:stream";
import type { Parts } from "../parts.ts";
import { Session } from "./session.ts";

/** The links of an agent to its hosts. */
export class Links {
  readonly #parts: Parts;
  readonly #onQuieter: () => void;
  readonly #sessions = new Set<Session>();

  /** `onQuieter` is called when an exchange or a link has ended. */
  constructor(parts: Parts, onQuieter: () => void) {
    this.#parts = parts;
    this.#onQuieter = onQuieter;
  }

  /** True while an exchange has not ended. */
  get busy(): boolean {
    for (const session of this.#sessions) if (session.busy) return true;
    return false;
  }

  /** Takes a socket; an agent that is about to stop takes none. */
  accept(socket: Duplex): void {
    if (this.#parts.draining) {
      socket.destroy();
      return;
    }
    const session = new Session(socket, this.#parts, {
      onExchangeOver: this.#onQuieter,
      onClose: (closed) => {
        this.#sessions.delete(closed);
        this.#onQuieter();
      },
    });
    this.#sessions.add(session);
  }

  /** Sends every host a heartbeat, or only those that know another status. */
  tell(always: boolean): void {
    for (const session of this.#sessions) session.heartbeat(always);
  }

  /** To be called every second. */
  tick(now: number): void {
    for (const session of this.#sessions) session.tick(now);
  }

  /** Sends what is queued, for at most `ms`, and closes every link. */
  async finish(ms: number): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => session.finish(ms)));
  }

  /** Closes every link at once. */
  destroy(): void {
    for (const session of this.#sessions) session.destroy();
  }
}
