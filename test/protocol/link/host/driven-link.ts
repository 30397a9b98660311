import type { HostExchange } from "../../../../protocol/link/host/exchange.ts";
import { CreditPool } from "../../../../protocol/link/host/credit-pool.ts";
import { UnaskedTotal } from "../../../../protocol/link/host/flood.ts";
import { HostLink } from "../../../../protocol/link/host/host-link.ts";
import type { HostLinkOptions, HostLinkOutput } from "../../../../protocol/link/host/output.ts";
import { LinkError } from "../../../../protocol/wire/errors.ts";
import type { Frame, UnknownObject } from "../../../../protocol/wire/frame.ts";
import type { FrameType } from "../../../../protocol/wire/vocabulary.ts";

/** A frame that the link had its driver send. */
export interface Sent {
  readonly type: string;
  readonly id: string;
  readonly payload: UnknownObject;
}

/** A frame of a guest; `size` is what it would be on the wire, unless another is given. */
export function frameOf(type: string, id: string, payload: UnknownObject = {}, size?: number): Frame {
  return { type, id, payload, size: size ?? 4 + JSON.stringify({ type, id, payload }).length };
}

/** A reader that remembers that it was woken. */
export class CountingReader {
  wakes = 0;
  wake(): void {
    this.wakes++;
  }
}

/** A link whose driver is the test: what it says is written down, and time is a number. */
export class DrivenLink implements HostLinkOutput {
  readonly sent: Sent[] = [];
  readonly link: HostLink;
  readonly total: UnaskedTotal;
  ups = 0;
  heartbeats = 0;
  closedBy: LinkError | undefined;
  /** What the queue towards the guest does with a frame of an exchange. */
  hasRoom = true;
  /** Whether the frames that are offered leave at once. */
  hands = true;
  readonly tickets: { handed: boolean }[] = [];
  /** What happens when a control frame is sent; a driver whose reserve is full loses the link. */
  onControl: (type: FrameType) => void = () => {};
  #ids = 0;

  constructor(
    options: Partial<HostLinkOptions> = {},
    now = 0,
    total = new UnaskedTotal(),
    credit = new CreditPool(),
  ) {
    this.total = total;
    const all: HostLinkOptions = {
      agentId: "a",
      pingMs: 3_000,
      silenceMs: 60_000,
      ...options,
      // It may change while the link is there.
      get token() {
        return options.token ?? "";
      },
    };
    const shared = { unasked: total, credit, mintId: () => `ping-${++this.#ids}` };
    this.link = new HostLink(all, shared, this, now + 5_000, now);
  }

  offer(type: FrameType, id: string, payload: object): { handed: boolean } | undefined {
    if (!this.hasRoom) return undefined;
    this.sent.push({ type, id, payload: payload as UnknownObject });
    const ticket = { handed: this.hands };
    this.tickets.push(ticket);
    return ticket;
  }

  control(type: FrameType, id: string, payload: object): void {
    this.sent.push({ type, id, payload: payload as UnknownObject });
    this.onControl(type);
  }

  close(reason: LinkError): void {
    this.closedBy = reason;
    this.link.lost(reason);
  }

  up(): void {
    this.ups++;
  }

  heartbeatCame(): void {
    this.heartbeats++;
  }

  /** Types of the frames that were sent since the last call. */
  types(): string[] {
    return this.sent.splice(0).map(({ type }) => type);
  }

  /** Opens an exchange, with its reader. Fails if the queue is full. */
  open(
    id: string,
    now: number,
    type: FrameType = "message",
    payload: object = { for: id },
  ): { exchange: HostExchange; reader: CountingReader } {
    const reader = new CountingReader();
    const kind = type === "message" ? "message" : "request";
    const exchange = this.link.open(id, type, payload, kind, reader, now);
    if (exchange === undefined) throw new Error("the queue is full");
    return { exchange, reader };
  }

  /** What a take fails with. */
  failure(exchange: HostExchange, now: number): LinkError {
    try {
      this.link.take(exchange, now);
    } catch (error) {
      if (error instanceof LinkError) return error;
    }
    throw new Error("it did not fail");
  }
}

/** A link to a guest that has said hello, in this protocol. */
export function linkUp(
  protocol: 1 | 2,
  options: Partial<HostLinkOptions> = {},
  now = 0,
  total?: UnaskedTotal,
  credit?: CreditPool,
): DrivenLink {
  const driven = new DrivenLink(options, now, total, credit);
  driven.link.frame(frameOf("heartbeat", "", { status: "ready", ...(protocol === 2 && { protocol }) }), now);
  if (protocol === 2)
    driven.link.frame(frameOf("heartbeat", "", { status: "running", protocol, boot_id: "boot-1" }), now);
  driven.types();
  return driven;
}
