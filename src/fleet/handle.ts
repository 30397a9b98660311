import { hash } from "node:crypto";
import { type Address, formatAddress, LinkError } from "@valinor/protocol";
import type { Connection } from "../link/connection.ts";
import type { Link } from "../link/link.ts";
import type { AgentKey, AgentRecord, ConfigRecord, ContextRecord } from "../store/store.ts";
import type { ConfigOutcome, Verdict } from "./convergence/facts.ts";
import { AgentError } from "./errors.ts";
import { GuestLink, type GuestLinkOptions, type GuestLinkOwner } from "./guest-link.ts";
import { ConvergenceDriver, type DriverOwner } from "./convergence-driver.ts";
import type { Requests } from "./requests.ts";

/** What handles need of the program around them. */
export interface HandleOptions extends GuestLinkOptions {
  /** Where an agent listens; undefined if that is not known. May throw. */
  addressOf(agent: AgentRecord): Address | undefined;
  readonly requests: Requests;
  /** Longest wait of a message for the configuration, milliseconds. */
  readonly configMs: number;
  /** Something that AgentStatusView shows has changed, a heartbeat's time alone apart; for watches. */
  onChange(key: AgentKey): void;
  /** The link of an agent came up or went down; for logs. */
  onLink(key: AgentKey, up: boolean, detail: string): void;
}

/** A live agent: its record, its link and its configuration's state. Making one dials it if it is to run. */
export class AgentHandle implements DriverOwner, GuestLinkOwner {
  readonly #options: HandleOptions;
  readonly #convergence: ConvergenceDriver;
  #record: AgentRecord;
  #guestLink: GuestLink | undefined;
  #last: Connection | undefined;
  #heartbeatAt = 0;
  /** What `onLink` was told last. */
  #told: { readonly up: boolean; readonly detail: string } | undefined;
  /** Configuration revision of the record that the store gave last. */
  #readRevision: number;
  /** Digest of what could be seen when `onChange` was called last. */
  #shown = "";
  #isClosed = false;

  constructor(record: AgentRecord, options: HandleOptions) {
    this.#options = options;
    this.#record = record;
    this.#readRevision = record.configRevision;
    this.#convergence = new ConvergenceDriver(this, options.requests);
    this.#connect(this.#addressOrReason());
    this.#shown = this.#look();
  }

  get record(): AgentRecord {
    return this.#record;
  }

  /** The agent's tenant and id. */
  get key(): AgentKey {
    return this.#record;
  }

  get id(): string {
    return this.#record.id;
  }

  /** The link; undefined if the agent is not to run or has no address. Another one after a change of the address. */
  get link(): Link | undefined {
    return this.#guestLink?.link;
  }

  /** Where the agent stands between what it is to have and what it has. */
  get convergence(): Pick<ConvergenceDriver, "state" | "observedRevision" | "desiredRevision"> {
    return this.#convergence;
  }

  /** When the last heartbeat came, over all links; 0 before the first. */
  get heartbeatAt(): number {
    return this.#heartbeatAt;
  }

  /** The last connection, also when it is gone: what the agent last said of itself. */
  get last(): Connection | undefined {
    return this.#last;
  }

  /** The connection, if it may be given a message now without a wait: as `admit`, which knows why not. */
  ready(allowStale: boolean): Connection | undefined {
    if (this.#record.status !== "RUNNING") return undefined;
    return allowStale || this.#isInForce() ? this.link?.current : undefined;
  }

  /** A connection, whatever the configuration. Rejects with AgentError or LinkError. */
  async reach(signal: AbortSignal): Promise<Connection> {
    const { id, status } = this.#record;
    if (status !== "RUNNING") throw new AgentError("not_running", `agent ${id} is ${status.toLowerCase()}`);
    if (this.#guestLink !== undefined) return this.#guestLink.ready(signal);
    const found = this.#addressOrReason();
    throw new AgentError("unassigned", typeof found === "string" ? found : `agent ${id} was removed`);
  }

  /**
   * A connection that may be given a message: up, and (unless stale is allowed) with the desired configuration and context in
   * force. Waits at most 5 s for the link and `configMs` for the configuration. Rejects with AgentError or LinkError.
   */
  async admit(allowStale: boolean, signal: AbortSignal): Promise<Connection> {
    const connection = await this.reach(signal);
    if (allowStale || this.#isInForce()) return connection;
    await this.#convergence.settled(this.#options.configMs, signal);
    const { state } = this.#convergence;
    const revision = `revision ${this.#record.configRevision}`;
    if (state.kind === "refused")
      throw new AgentError("config_refused", `${revision} is not in force: ${state.reason}`);
    if (state.kind === "pending") {
      const reason = `${revision} is not in force yet: ${state.reason}${openclawNote(connection)}`;
      throw new AgentError("config_pending", reason);
    }
    return this.link?.current ?? this.reach(signal);
  }

  /**
   * A new revision was stored: from now on no message is admitted before the guest has it. Resolves with the guest's verdict, however
   * late that comes. Never rejects.
   */
  configStored(config: ConfigRecord): Promise<ConfigOutcome> {
    this.#knowRevision(config.revision);
    return this.#convergence.configStored(config);
  }

  /** The same for a context entry. */
  contextStored(record: ContextRecord): Promise<Verdict> {
    return this.#convergence.contextStored(record);
  }

  /** The store holds other context entries than it did. */
  contextsChanged(): void {
    this.#convergence.storeChanged(true);
  }

  /** The agent's record has changed: another status or address makes or drops the link, another configuration revision is pushed. */
  update(next: AgentRecord): void {
    if (this.#isClosed) return;
    const convergence = this.#convergence;
    if (next.createTime.getTime() !== this.#record.createTime.getTime()) convergence.agentRecreated();
    else if (next.configRevision > convergence.desiredRevision) convergence.storeChanged(true);
    this.#record = next;
    this.#readRevision = next.configRevision;
    // What was read before a push that is known already.
    this.#knowRevision(convergence.desiredRevision);
    this.#reroute();
    this.changed();
  }

  /** True, once for each, if there is a configuration revision that came with no record: the store has another etag for the agent. */
  hasNewRevision(): boolean {
    const { configRevision } = this.#record;
    const isNew = configRevision !== this.#readRevision;
    this.#readRevision = configRevision;
    return isNew;
  }

  /** Drops the link, and tells whoever waits. */
  close(reason: LinkError): void {
    this.#isClosed = true;
    this.#convergence.close();
    this.link?.close(reason);
  }

  /** Tells of a change of what can be seen of the agent, once. */
  changed(): void {
    if (this.#isClosed) return;
    this.#knowRevision(this.#convergence.desiredRevision);
    const look = this.#look();
    if (look === this.#shown) return;
    this.#shown = look;
    this.#options.onChange(this.key);
  }

  linkUp(link: GuestLink, connection: Connection): void {
    if (link !== this.#guestLink) return;
    this.#last = connection;
    this.#heartbeatAt = connection.heartbeatAt;
    this.#tell(true, `protocol ${connection.protocol}`);
    this.#convergence.connected(connection);
    this.changed();
  }

  heartbeat(link: GuestLink, connection: Connection): void {
    if (link !== this.#guestLink) return;
    this.#heartbeatAt = connection.heartbeatAt;
    this.#convergence.heartbeat(connection);
    this.changed();
  }

  linkDown(link: GuestLink, reason: LinkError): void {
    if (link !== this.#guestLink) return;
    this.#convergence.disconnected();
    this.#tell(false, reason.message);
    this.changed();
  }

  #connect(to: Address | string): void {
    this.#guestLink =
      typeof to === "string" || this.#isClosed ? undefined : new GuestLink(to, this, this.#options);
  }

  /** Leaves the old link only when the new one is there: whoever looks finds one. */
  #reroute(): void {
    const old = this.#guestLink;
    const to = this.#addressOrReason();
    const name = typeof to === "string" ? "" : formatAddress(to);
    if (name === (old === undefined ? "" : formatAddress(old.address))) return;
    if (old?.link.current !== undefined) this.#tell(false, RECORD_CHANGED);
    if (old !== undefined) this.#convergence.disconnected();
    this.#connect(to);
    old?.link.close(new LinkError("closed", RECORD_CHANGED));
  }

  /** Where to dial the agent, or why there is nowhere. One agent with a wrong address must keep no other from being served. */
  #addressOrReason(): Address | string {
    const { id, status } = this.#record;
    if (status !== "RUNNING") return `agent ${id} is not to run`;
    try {
      const none = `agent ${id} has neither an address nor a vsock CID to derive one from`;
      return this.#options.addressOf(this.#record) ?? none;
    } catch (error) {
      return `agent ${id} can't be reached: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Says each change once, not every failed attempt. */
  #tell(up: boolean, detail: string): void {
    if (this.#told?.up === up && this.#told.detail === detail) return;
    this.#told = { up, detail };
    this.#options.onLink(this.key, up, detail);
  }

  #knowRevision(revision: number): void {
    if (revision > this.#record.configRevision) this.#record = { ...this.#record, configRevision: revision };
  }

  #isInForce(): boolean {
    const { kind } = this.#convergence.state;
    return kind === "applied" || kind === "assumed";
  }

  /** A digest of everything that can be seen of the agent, the time of its heartbeats apart. */
  #look(): string {
    const { etag, status, configRevision, address, vsockCid } = this.#record;
    const heartbeat = this.#last?.heartbeat;
    const { state, observedRevision } = this.#convergence;
    const seen = [
      [etag, status, configRevision, address, vsockCid],
      [this.link?.current !== undefined, this.link?.lastError, this.#last?.bootId, this.#last?.protocol],
      [heartbeat?.status, heartbeat?.inFlight, heartbeat?.openclaw, heartbeat?.openclawKind],
      [heartbeat?.openclawKindReason, heartbeat?.remembers, heartbeat?.agentVersion],
      [state, observedRevision],
    ];
    return hash("sha1", JSON.stringify(seen), "base64");
  }
}

const RECORD_CHANGED = "the agent's record has changed";

/** A guest whose OpenClaw is away can't apply a configuration: that is then the cause. */
function openclawNote(connection: Connection): string {
  const { openclaw } = connection.heartbeat;
  return openclaw === "down" || openclaw === "starting"
    ? `; the agent says that its OpenClaw is ${openclaw}`
    : "";
}
