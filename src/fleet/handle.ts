import type { Duplex } from "node:stream";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Connection } from "../link/connection.ts";
import type { Intake } from "../link/intake.ts";
import { createLink, type Link } from "../link/link.ts";
import type { AgentKey, AgentRecord, ConfigRecord, ContextRecord, Store } from "../store/store.ts";
import { type Address, formatAddress, configDigest, LinkError, errorText } from "@valinor/protocol";
import { createConvergence, type Convergence } from "./convergence.ts";
import type { Desired } from "./desired.ts";
import { AgentError } from "./errors.ts";
import type { Verdict } from "./push.ts";
import type { ConfigOutcome } from "./waiters.ts";

/** What handles need of the program around them. */
export interface HandleOptions {
  readonly store: Store;
  /** Where an agent listens; undefined where that is not known. May throw. */
  addressOf(agent: AgentRecord): Address | undefined;
  dial(address: Address, signal: AbortSignal): Promise<Duplex>;
  /** Secret for the hello of a connection that is made now. */
  token(): string;
  readonly pingMs: number;
  readonly configMs: number;
  readonly messageMs: number;
  /** What all links of the process share. */
  readonly intake: Intake;
  /** The secrets of a configuration in the open. Throws where it can't: the agent then stays `pending`, with the error's text as reason. */
  openConfig(key: AgentKey, stored: JsonObject): JsonObject;
  /** Something that AgentStatusView shows has changed, a heartbeat's time alone apart; for watches. */
  onChange(key: AgentKey): void;
  /** The link of an agent came up or went down; for logs. */
  onLink(key: AgentKey, up: boolean, detail: string): void;
}

/** A live agent: its record, its link and its configuration's state. */
export interface AgentHandle {
  readonly record: AgentRecord;
  /** The link; undefined where the agent is not to run or has no address. Another one after a change of the address. */
  readonly link: Link | undefined;
  readonly convergence: Convergence;
  /** When the last heartbeat came, over all links; 0 before the first. */
  readonly heartbeatAt: number;
  /** The last connection, also when it is gone: what the agent last said of itself. */
  readonly last: Connection | undefined;
  /**
   * A connection that may be given a message: up, and (unless stale is allowed) with the desired configuration and context in
   * force. Waits at most 5 s for the link and `configMs` for the configuration. Rejects with AgentError or LinkError.
   */
  admit(allowStale: boolean, signal: AbortSignal): Promise<Connection>;
  /** A connection, whatever the configuration. Rejects with AgentError or LinkError. */
  reach(signal: AbortSignal): Promise<Connection>;
  /**
   * A new revision was stored: from now on no message is admitted before the guest has it. Resolves with the guest's verdict, however
   * late that comes. Never rejects.
   */
  configStored(config: ConfigRecord): Promise<ConfigOutcome>;
  /** The same for a context entry. */
  contextStored(record: ContextRecord): Promise<Verdict>;
  /** The store holds other context entries than it did. */
  contextsChanged(): void;
  /**
   * The agent's record has changed: another status or address makes or drops the link, another configuration revision is pushed.
   */
  update(record: AgentRecord): void;
  close(reason: LinkError): void;
}

/** Makes the handle of an agent, and dials it where it is to run. */
export function createHandle(initial: AgentRecord, options: HandleOptions): AgentHandle {
  const { store } = options;
  const key: AgentKey = { tenant: initial.tenant, id: initial.id };
  let record = initial;
  let last: Connection | undefined;
  let heartbeatAt = 0;
  let reported = "";
  let shown = "";
  let route = findRoute(key, record, options);
  let isClosed = false;
  const convergence = createConvergence({
    load: loadDesired,
    open(config) {
      const opened = options.openConfig(key, config.config);
      return { ...config, config: opened, sha256: configDigest(opened, config.policy) };
    },
    raise: (above) => store.raiseRevision(key, above),
    record: ({ revision, ...verdict }) => store.recordVerdict(key, revision, verdict),
    onChange: changed,
    pushMs: options.configMs,
  });
  let link = makeLink();

  async function loadDesired(): Promise<Desired> {
    const [config, contexts] = await Promise.all([store.currentConfig(key), store.contexts(key)]);
    if (config === undefined) throw new AgentError("deleted", "the agent was deleted");
    return { config, contexts };
  }

  /** The link to where the agent is now. What an earlier one still tells is of no matter. */
  function makeLink(): Link | undefined {
    const { address } = route;
    if (address === undefined || isClosed) return undefined;
    const mine = route;
    return createLink({
      get token() {
        return options.token();
      },
      agentId: key.id,
      pingMs: options.pingMs,
      silenceMs: options.messageMs,
      intake: options.intake,
      dial: (signal) => options.dial(address, signal),
      onUp(connection) {
        if (route !== mine) return;
        last = connection;
        heartbeatAt = connection.heartbeatAt;
        report(true, `protocol ${connection.protocol}`);
        convergence.connected(connection);
        changed();
      },
      onHeartbeat(connection) {
        if (route !== mine) return;
        heartbeatAt = connection.heartbeatAt;
        convergence.heartbeat(connection);
        changed();
      },
      onDown(reason) {
        if (route !== mine) return;
        convergence.disconnected();
        report(false, reason.message);
        changed();
      },
    });
  }

  /** Leaves the old link only when the new one is there: whoever looks finds one. */
  function reroute(next: Route): void {
    const old = link;
    route = next;
    if (old?.current !== undefined) report(false, "the agent's record has changed");
    if (old !== undefined) convergence.disconnected();
    link = makeLink();
    old?.close(new LinkError("closed", "the agent's record has changed"));
  }

  /** Says each change once, not every failed attempt. */
  function report(up: boolean, detail: string): void {
    const text = `${up} ${detail}`;
    if (text === reported) return;
    reported = text;
    options.onLink(key, up, detail);
  }

  /** Tells of a change of what can be seen of the agent, once. */
  function changed(): void {
    if (isClosed) return;
    if (convergence.desiredRevision > record.configRevision)
      record = { ...record, configRevision: convergence.desiredRevision };
    const text = lookOf(handle);
    if (text === shown) return;
    shown = text;
    options.onChange(key);
  }

  const handle: AgentHandle = {
    get record() {
      return record;
    },
    get link() {
      return link;
    },
    convergence,
    get heartbeatAt() {
      return heartbeatAt;
    },
    get last() {
      return last;
    },
    async reach(signal) {
      if (record.status !== "RUNNING") {
        throw new AgentError("not_running", `agent ${key.id} is ${record.status.toLowerCase()}`);
      }
      if (link === undefined) throw new AgentError("unassigned", route.unassigned);
      if (link.current !== undefined) return link.current;
      const { name } = route;
      return link.ready(signal).catch((error: unknown) => {
        throw withAddress(error, name);
      });
    },
    async admit(allowStale, signal) {
      const connection = await handle.reach(signal);
      if (allowStale || isInForce(convergence)) return connection;
      await convergence.settled(options.configMs, signal);
      const { state } = convergence;
      const { configRevision } = record;
      if (state.kind === "refused") {
        throw new AgentError("config_refused", `revision ${configRevision} is not in force: ${state.reason}`);
      }
      if (state.kind === "pending") {
        throw new AgentError(
          "config_pending",
          `revision ${configRevision} is not in force yet: ${state.reason}${openclawNote(connection)}`,
        );
      }
      return link?.current ?? handle.reach(signal);
    },
    configStored(config) {
      if (config.revision > record.configRevision) record = { ...record, configRevision: config.revision };
      return convergence.config(config);
    },
    contextStored: (entry) => convergence.context(entry),
    contextsChanged: () => convergence.reload(true),
    update(next) {
      if (isClosed) return;
      if (next.createTime.getTime() !== record.createTime.getTime()) convergence.reset();
      else if (next.configRevision > convergence.desiredRevision) convergence.reload(true);
      // What was read before a push that is known already.
      record = { ...next, configRevision: Math.max(next.configRevision, convergence.desiredRevision) };
      const to = findRoute(key, next, options);
      if (to.name === route.name) route.unassigned = to.unassigned;
      else reroute(to);
      changed();
    },
    close(reason) {
      isClosed = true;
      convergence.close();
      link?.close(reason);
    },
  };
  shown = lookOf(handle);
  return handle;
}

/** Where an agent's link leads to. */
interface Route {
  /** Undefined where there is to be no link. */
  readonly address: Address | undefined;
  /** The address as text; empty where there is none. */
  readonly name: string;
  /** Why there is no address. */
  unassigned: string;
}

/** One agent with a wrong address must keep no other from being served. */
function findRoute(key: AgentKey, record: AgentRecord, options: HandleOptions): Route {
  const none = { address: undefined, name: "" };
  if (record.status !== "RUNNING") return { ...none, unassigned: `agent ${key.id} is not to run` };
  try {
    const address = options.addressOf(record);
    const unassigned = `agent ${key.id} has neither an address nor a vsock CID to derive one from`;
    return address === undefined
      ? { ...none, unassigned }
      : { address, name: formatAddress(address), unassigned };
  } catch (error) {
    const text = errorText(error);
    return { ...none, unassigned: `agent ${key.id} can't be reached: ${text}` };
  }
}

/** The link's own error, with the address that it tried. */
function withAddress(error: unknown, name: string): unknown {
  if (!(error instanceof LinkError) || error.message.startsWith(name)) return error;
  return new LinkError(error.code, `${name}: ${error.message}`, error);
}

function isInForce({ state }: Convergence): boolean {
  return state.kind === "applied" || state.kind === "assumed";
}

/** Everything that can be seen of an agent in one text, the time of its heartbeats apart. */
function lookOf({ record, link, last, convergence }: AgentHandle): string {
  const { status, inFlight, openclaw, openclawKind, openclawKindReason, remembers, agentVersion } =
    last?.heartbeat ?? {};
  const { state, observedRevision } = convergence;
  return JSON.stringify([
    [record.etag, record.status, record.configRevision, record.address, record.vsockCid],
    [link?.current !== undefined, link?.lastError, last?.bootId, last?.protocol],
    [status, inFlight, openclaw, openclawKind, openclawKindReason, remembers, agentVersion],
    [state, observedRevision],
  ]);
}

/** A guest whose OpenClaw is away can't apply a configuration: that is then the cause. */
function openclawNote(connection: Connection): string {
  const { openclaw } = connection.heartbeat;
  return openclaw === "down" || openclaw === "starting"
    ? `; the agent says that its OpenClaw is ${openclaw}`
    : "";
}
