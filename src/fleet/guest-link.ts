import type { Duplex } from "node:stream";
import { type Address, formatAddress, LinkError } from "@valinor/protocol";
import type { Connection } from "../link/connection.ts";
import type { Intake } from "../link/intake.ts";
import { createLink, type Link, type LinkOptions } from "../link/link.ts";

/** What the links of all agents share. */
export interface GuestLinkOptions {
  dial(address: Address, signal: AbortSignal): Promise<Duplex>;
  /** Secret for the hello of a connection that is made now. */
  token(): string;
  readonly pingMs: number;
  readonly messageMs: number;
  readonly intake: Intake;
}

/** Whose link it is. Each call says over which link. */
export interface GuestLinkOwner {
  readonly id: string;
  linkUp(link: GuestLink, connection: Connection): void;
  heartbeat(link: GuestLink, connection: Connection): void;
  linkDown(link: GuestLink, reason: LinkError): void;
}

/** An agent's link to one address. It dials as soon as it is made. */
export class GuestLink implements LinkOptions {
  readonly address: Address;
  readonly link: Link;
  readonly #owner: GuestLinkOwner;
  readonly #options: GuestLinkOptions;

  constructor(address: Address, owner: GuestLinkOwner, options: GuestLinkOptions) {
    this.address = address;
    this.#owner = owner;
    this.#options = options;
    this.link = createLink(this);
  }

  get token(): string {
    return this.#options.token();
  }

  get agentId(): string {
    return this.#owner.id;
  }

  get pingMs(): number {
    return this.#options.pingMs;
  }

  get silenceMs(): number {
    return this.#options.messageMs;
  }

  get intake(): Intake {
    return this.#options.intake;
  }

  dial(signal: AbortSignal): Promise<Duplex> {
    return this.#options.dial(this.address, signal);
  }

  onUp(connection: Connection): void {
    this.#owner.linkUp(this, connection);
  }

  onHeartbeat(connection: Connection): void {
    this.#owner.heartbeat(this, connection);
  }

  onDown(reason: LinkError): void {
    this.#owner.linkDown(this, reason);
  }

  /** The connection that is up, or will be within 5 s. Rejects with LinkError, which names the address. */
  async ready(signal: AbortSignal): Promise<Connection> {
    const { current } = this.link;
    if (current !== undefined) return current;
    try {
      return await this.link.ready(signal);
    } catch (error) {
      const name = formatAddress(this.address);
      if (!(error instanceof LinkError) || error.message.startsWith(name)) throw error;
      throw new LinkError(error.code, `${name}: ${error.message}`, error);
    }
  }
}
