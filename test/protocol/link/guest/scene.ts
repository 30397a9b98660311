import { GuestLink } from "../../../../protocol/link/guest/guest-link.ts";
import type {
  ClosedLink,
  ConfigWaiter,
  LinkOwner,
  LinkPort,
  ReadableRun,
  RunReader,
} from "../../../../protocol/link/guest/ports.ts";
import { LinkError } from "../../../../protocol/wire/errors.ts";
import type { FrameType } from "../../../../protocol/wire/vocabulary.ts";

/** Why a test's link goes. */
export const GONE = new LinkError("interrupted", "cut");

/** A link whose guest, driver and clock are the test's; it writes down what it is asked and told. */
export class Scene implements LinkPort, LinkOwner {
  readonly bounds = { helloMs: 5_000, heartbeatMs: 10_000, hostSilenceMs: 60_000, exchanges: 3 };
  readonly bootId = "boot";
  readonly controls: { type: string; id: string; payload: object }[] = [];
  readonly offered: string[] = [];
  readonly closes: LinkError[] = [];
  readonly finishes: LinkError[] = [];
  readonly calls: unknown[][] = [];
  readonly closedLinks: ClosedLink[] = [];
  readonly readers: RunReader[] = [];
  readonly waiters: ConfigWaiter[] = [];
  readonly left: unknown[][] = [];
  readonly events: string[] = [];
  space = Infinity;
  status = "ready";
  thrown: unknown;
  found = true;
  readonly link: GuestLink;

  constructor(greeted = true, now = 0) {
    this.link = new GuestLink(this, this, now);
    if (greeted) this.send("hello", "", { token: "right", protocol: 2 }, now);
    this.controls.length = 0;
    this.calls.length = 0;
  }

  send(type: string, id: string, payload: object, now = 0): void {
    this.link.frame({ type, id, payload: { ...payload }, size: 0 }, now);
  }

  message(id: string, payload: object = {}, now = 0): void {
    this.send("message", id, { role: "user", content: "x", request_id: id, ...payload }, now);
  }

  /** Types of what was sent for one id, but for events. */
  controlsOf(id: string): string[] {
    return this.controls.filter((control) => control.id === id).map(({ type }) => type);
  }

  get dropped(): number {
    this.link.closed(GONE, 0);
    return this.closedLinks.at(-1)?.dropped ?? -1;
  }

  // LinkPort
  offer(frame: Buffer): boolean {
    if (this.space === 0) return false;
    this.space--;
    const { type, id } = JSON.parse(frame.subarray(4).toString()) as { type: string; id: string };
    this.offered.push(`${id} ${type}`);
    return true;
  }
  control(type: FrameType, id: string, payload: object): void {
    this.controls.push({ type, id, payload });
  }
  close(reason: LinkError): void {
    this.closes.push(reason);
  }
  finish(reason: LinkError): void {
    this.finishes.push(reason);
  }

  // LinkOwner
  admits(token: string): boolean {
    return token === "right";
  }
  heartbeat(now: number) {
    return { status: this.status, uptime_secs: now, boot_id: "boot" };
  }
  attachOrBegin(message: { requestId: string }, now: number) {
    this.calls.push(["attachOrBegin", message.requestId, now]);
    if (this.thrown !== undefined) throw this.thrown;
    const { events, left, readers } = this;
    const run: ReadableRun = {
      life: "life",
      accepted: true,
      ended: false,
      journal: {
        get next() {
          return events.length + 1;
        },
        event: (sequence) => {
          const json = events[sequence - 1];
          return json === undefined ? undefined : { type: "chunk", json };
        },
      },
      attach: (reader, onDisconnect, at) => {
        readers.push(reader);
        reader.pump(at);
        this.calls.push(["attach", onDisconnect, at]);
      },
      leave: (reader, how, at) => void left.push([readers.indexOf(reader), how, at]),
      settle: (at) => void this.calls.push(["settle", at]),
    };
    return { run, attached: message.requestId !== "a", next: 1 };
  }
  cancelRun(...args: unknown[]): boolean {
    this.calls.push(["cancelRun", ...args]);
    return this.found;
  }
  pushConfig(payload: object, waiter: ConfigWaiter): void {
    this.calls.push(["pushConfig", payload]);
    this.waiters.push(waiter);
  }
  pushContext(payload: object) {
    this.calls.push(["pushContext", payload]);
    return { applied: true };
  }
  linkGreeted(): void {
    this.calls.push(["linkGreeted"]);
  }
  exchangeEnded(now: number): void {
    this.calls.push(["exchangeEnded", now]);
  }
  linkClosed(_link: unknown, closed: ClosedLink): void {
    this.closedLinks.push(closed);
  }
  wakeAt(time: number): void {
    this.calls.push(["wakeAt", time]);
  }
  frameFailed(...args: unknown[]): void {
    this.calls.push(["frameFailed", ...args]);
  }
}
