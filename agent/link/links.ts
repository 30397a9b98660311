import type { Duplex } from "node:stream";
import { LinkError } from "@valinor/protocol";
import type { GuestKernel } from "../kernel/guest-kernel.ts";
import { SocketLink } from "./socket-link.ts";

/** The links of an agent to its hosts. */
export class Links {
  readonly #kernel: GuestKernel;
  readonly #afterInput: () => void;
  readonly #links = new Set<SocketLink>();

  /** `afterInput` is called after every input that a link has given to the kernel. */
  constructor(kernel: GuestKernel, afterInput: () => void) {
    this.#kernel = kernel;
    this.#afterInput = afterInput;
  }

  /** Takes a socket; an agent that is about to stop takes none. */
  accept(socket: Duplex): void {
    if (this.#kernel.draining) {
      socket.destroy();
      return;
    }
    const link = new SocketLink(socket, this.#kernel, {
      afterInput: this.#afterInput,
      onClose: (closed) => this.#links.delete(closed),
    });
    this.#links.add(link);
  }

  /** Tells the kernel when each link was last heard of. To be called before a tick of the kernel. */
  tellHeard(): void {
    for (const link of this.#links) link.tellHeard();
  }

  /** To be called every second: closes links on which bytes do not move in time. */
  check(now: number): void {
    for (const link of this.#links) link.check(now);
  }

  /** Sends what is queued, for at most `ms`, and closes every link. */
  async finish(ms: number): Promise<void> {
    await Promise.all([...this.#links].map((link) => link.farewell(stopped(), ms)));
  }

  /** Closes every link at once. */
  destroy(): void {
    for (const link of this.#links) link.close(stopped());
  }
}

function stopped(): LinkError {
  return new LinkError("closed", "the agent stops");
}
