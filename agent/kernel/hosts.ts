import type { ConfigAckJson, HeartbeatJson } from "@valinor/proto/valinor/link/v1/link";
import {
  type ClosedLink,
  type ConfigWaiter,
  Failure,
  GuestLink,
  isToken,
  type LinkOwner,
  type LinkPort,
  type Message,
  type OpenedRun,
  type OwnedLink,
  type UnknownObject,
} from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import { attachTo } from "../runs/attach.ts";
import { cancelledBy } from "../runs/endings.ts";
import type { Ledger } from "../runs/ledger.ts";
import { answerForLostRun } from "../runs/lost-runs.ts";
import type { Run } from "../runs/run.ts";
import type { Runs } from "../runs/runs.ts";
import type { ConfigInForce } from "../settings/config-in-force.ts";
import type { Context } from "../settings/context.ts";
import { checkBegin, requestOf } from "./begin.ts";
import type { GuestOptions, GuestOutput } from "./ports.ts";

/** What hosts are served with. */
export interface HostsParts {
  readonly options: GuestOptions;
  readonly output: GuestOutput;
  readonly bootId: string;
  readonly runs: Runs;
  readonly ledger: Ledger;
  readonly config: ConfigInForce;
  readonly context: Context;
}

/** What else the guest is to its hosts. */
export interface HostsOwner {
  readonly draining: boolean;
  /** What a heartbeat tells. */
  heartbeat(now: number): HeartbeatJson;
  /** An exchange or a link has ended. */
  quieter(now: number): void;
  wakeAt(time: number): void;
}

/** The links to hosts, and what hosts ask for over them. */
export class Hosts implements LinkOwner {
  readonly bounds: Bounds;
  readonly bootId: string;
  readonly #parts: HostsParts;
  readonly #owner: HostsOwner;
  readonly #links = new Set<OwnedLink>();

  constructor(parts: HostsParts, owner: HostsOwner) {
    this.bounds = parts.options.bounds;
    this.bootId = parts.bootId;
    this.#parts = parts;
    this.#owner = owner;
  }

  /** True while an exchange that reads a run has not ended. */
  get busy(): boolean {
    for (const link of this.#links) if (link.busy) return true;
    return false;
  }

  open(port: LinkPort, now: number): GuestLink {
    const link = new GuestLink(port, this, now);
    this.#links.add(link);
    this.wakeAt(link.nextWake());
    return link;
  }

  /** Tells every host how the guest is, or only those that know another status. */
  tell(always: boolean, now: number): void {
    for (const link of this.#links) link.tell(always, now);
  }

  tick(now: number): void {
    for (const link of this.#links) link.tick(now);
  }

  /** When `tick` next has something to do; Infinity if never. */
  nextWake(): number {
    let next = Infinity;
    for (const link of this.#links) next = Math.min(next, link.nextWake());
    return next;
  }

  admits(token: string): boolean {
    const { token: own } = this.#parts.options;
    return own === undefined || isToken(token, own);
  }

  heartbeat(now: number): HeartbeatJson {
    return this.#owner.heartbeat(now);
  }

  attachOrBegin(message: Message, now: number): OpenedRun {
    const { requestId } = message;
    const { runs, ledger } = this.#parts;
    const attachOnly = message.role === undefined || message.afterSequence > 0 || message.runLife !== "";
    if (requestId === "" && attachOnly)
      throw new Failure("invalid_message", "nothing to run and no request_id");
    const known = runs.find(requestId);
    if (known !== undefined) return attachTo(known, message);
    const entry = requestId === "" ? undefined : ledger.find(requestId);
    const answer = answerForLostRun(message, entry, attachOnly);
    if (answer !== undefined) throw answer;
    return { run: this.#begin(message, now), attached: false, next: 1 };
  }

  cancelRun(requestId: string, reason: string, now: number): boolean {
    const run = this.#parts.runs.find(requestId);
    if (run === undefined || run.ended) return false;
    run.end(cancelledBy(reason), now);
    return true;
  }

  pushConfig(payload: UnknownObject, waiter: ConfigWaiter): void {
    this.#parts.config.push(payload, waiter);
  }

  pushContext(payload: UnknownObject): ConfigAckJson {
    const { context } = this.#parts;
    const reason = context.update(payload);
    const ack: ConfigAckJson = { applied: reason === undefined, context_sha256: context.sha256 };
    return reason === undefined ? ack : { ...ack, reason };
  }

  linkGreeted(): void {
    this.#parts.output.log("info", "link_open");
  }

  exchangeEnded(now: number): void {
    this.#owner.quieter(now);
  }

  linkClosed(link: OwnedLink, { reason, greeted, dropped }: ClosedLink, now: number): void {
    this.#links.delete(link);
    if (greeted || dropped > 0)
      this.#parts.output.log("info", "link_closed", { code: reason.code, reason: reason.message, dropped });
    this.#owner.quieter(now);
  }

  frameFailed(type: string, cause: unknown): void {
    this.#parts.output.fault("frame_failed", cause, { type });
  }

  wakeAt(time: number): void {
    this.#owner.wakeAt(time);
  }

  #begin(message: Message, now: number): Run {
    const { options, output, runs, ledger, context } = this.#parts;
    const config = this.#parts.config.applied;
    const hasRoom = () => runs.hasRoom(now);
    checkBegin(message, { draining: this.#owner.draining, config, hasRoom });
    const { hash } = message;
    const life = options.ids.life();
    const requestId = message.requestId || options.ids.request();
    const request = requestOf(message, config, context.texts());
    const run = runs.begin({ requestId, hash, life, request, policy: config.policy }, now);
    output.record(life, ledger.take(life, requestId, hash, now));
    return run;
  }
}
