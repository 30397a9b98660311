import { type UnknownObject, longestPauseMs } from "@valinor/protocol";
import type { Bounds } from "../../bounds.ts";
import { type GatewayLink, type GatewayTarget, openGatewayLink } from "./gateway-link.ts";

/** Bounds of a gateway and of its connections. */
export type GatewayOptions = Omit<GatewayTarget, "bounds"> & {
  readonly bounds: GatewayTarget["bounds"] &
    Pick<Bounds, "gatewayIdleMs" | "gatewayRedialMinMs" | "gatewayRedialMaxMs">;
};

/** A wish for a connection, so that items are told. */
export interface GatewayHold {
  /** Resolves when there is a connection or one attempt has failed; never rejects. */
  readonly opened: Promise<void>;
  /** Ends the wish (twice is once). */
  release(): void;
}

/**
 * OpenClaw's gateway, reached when it is needed. A connection that is neither called nor held for `gatewayIdleMs` is closed: OpenClaw sends
 * every operator the text of every run over and over, which nobody here reads.
 */
export class Gateway {
  readonly #options: GatewayOptions;
  #link: Promise<GatewayLink> | undefined;
  #holders = 0;
  #failures = 0;
  #closed = false;
  #redial: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: GatewayOptions) {
    this.#options = options;
  }

  /** Calls a method, connecting first if there is no connection. Rejects with GatewayError. */
  async call(method: string, params: object = {}): Promise<UnknownObject> {
    clearTimeout(this.#idle);
    try {
      return await (await this.#open()).call(method, params);
    } finally {
      this.#rest();
    }
  }

  /** Keeps a connection until `release`: one that is lost is opened again. */
  hold(): GatewayHold {
    this.#holders++;
    clearTimeout(this.#idle);
    let held = true;
    return {
      opened: this.#tryOpen(),
      release: () => {
        if (!held) return;
        held = false;
        this.#holders--;
        this.#rest();
      },
    };
  }

  /** Closes the connection, and opens none again. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#redial);
    clearTimeout(this.#idle);
    this.#closeLink();
  }

  #open(): Promise<GatewayLink> {
    clearTimeout(this.#redial);
    return (this.#link ??= this.#connect());
  }

  async #tryOpen(): Promise<void> {
    try {
      await this.#open();
    } catch {
      // Counted in #failures: whoever holds a connection gets another attempt, and a call says itself what is wrong.
    }
  }

  async #connect(): Promise<GatewayLink> {
    try {
      const opened = await openGatewayLink(this.#options);
      this.#failures = 0;
      if (this.#closed) opened.close();
      void opened.closed.then(() => this.#lost());
      return opened;
    } catch (error) {
      this.#failures++;
      this.#lost();
      throw error;
    }
  }

  /** There is no connection any more; whoever holds one gets another, after a wait that doubles. */
  #lost(): void {
    this.#link = undefined;
    clearTimeout(this.#redial);
    if (this.#closed || this.#holders === 0) return;
    const { gatewayRedialMinMs: firstMs, gatewayRedialMaxMs: longestMs } = this.#options.bounds;
    const pauseMs = longestPauseMs({ firstMs, longestMs }, this.#failures);
    this.#redial = setTimeout(() => void this.#tryOpen(), pauseMs);
  }

  /** Starts counting the time without use again. */
  #rest(): void {
    clearTimeout(this.#idle);
    if (this.#holders > 0 || this.#closed) return;
    this.#idle = setTimeout(() => this.#closeLink(), this.#options.bounds.gatewayIdleMs);
  }

  #closeLink(): void {
    // A connection that could not be opened needs no closing; its failure was told to whoever asked for it.
    void this.#link?.then(
      (opened) => opened.close(),
      () => {},
    );
  }
}
