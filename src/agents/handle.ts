import type { Duplex } from "node:stream";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Connection } from "../link/connection.ts";
import { createLink, type Link } from "../link/link.ts";
import type { AgentKey, AgentRecord, ConfigRecord, ContextRecord, Store } from "../store/store.ts";
import { type Address, formatAddress } from "../transport/address.ts";
import { LinkError } from "../wire/errors.ts";
import { createConvergence, type Convergence } from "./convergence.ts";
import { AgentError } from "./errors.ts";
import type { Verdict } from "./push.ts";

/** What handles need of the program around them. */
export interface HandleOptions {
  readonly store: Store;
  /** Where an agent listens; undefined where that is not known. May throw. */
  addressOf(agent: AgentRecord): Address | undefined;
  dial(address: Address, signal: AbortSignal): Promise<Duplex>;
  /** Secret for the hello. */
  readonly token: string;
  readonly pingMs: number;
  readonly configMs: number;
  readonly messageMs: number;
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
  /** The link; undefined where the agent is not to run or has no address. */
  readonly link: Link | undefined;
  readonly convergence: Convergence;
  /** When the last heartbeat came, over all links; 0 before the first. */
  readonly heartbeatAt: number;
  /** The last connection, also when it is gone: what the agent last said of itself. */
  readonly last: Connection | undefined;
  /**
   * A connection that may be given a message: up, and (unless stale is allowed) with the desired configuration in force.
   * Waits at most 5 s for the link and `configMs` for the configuration. Rejects with AgentError or LinkError.
   */
  admit(allowStale: boolean, signal: AbortSignal): Promise<Connection>;
  /** A connection, whatever the configuration. Rejects with AgentError or LinkError. */
  reach(signal: AbortSignal): Promise<Connection>;
  /** A new revision was stored: pushes it, and resolves with the guest's verdict. */
  configStored(config: ConfigRecord): Promise<Verdict>;
  /** A context entry was stored: pushes it, and resolves with the guest's verdict. */
  contextStored(record: ContextRecord): Promise<Verdict>;
  /**
   * The agent's record has changed: another status or address makes or drops the link, another configuration revision is pushed.
   */
  update(record: AgentRecord): void;
  close(reason: LinkError): void;
}

/** Makes the handle of an agent, and dials it where it is to run. */
export function createHandle(initial: AgentRecord, options: HandleOptions): AgentHandle {
  const key: AgentKey = { tenant: initial.tenant, id: initial.id };
  const convergence = createConvergence(loadDesired, options.configMs);
  let record = initial;
  let heartbeatAt = 0;
  let last: Connection | undefined;
  let reported = "";
  let address: Address | undefined;
  let unassigned = `agent ${key.id} has neither an address nor a vsock CID to derive one from`;
  const link = record.status === "RUNNING" ? makeLink() : undefined;

  async function loadDesired() {
    const [config, contexts] = await Promise.all([
      options.store.currentConfig(key),
      options.store.contexts(key),
    ]);
    if (config === undefined) throw new AgentError("deleted", "the agent was deleted");
    return { config, contexts };
  }

  function makeLink(): Link | undefined {
    const at = findAddress();
    address = at;
    if (at === undefined) return undefined;
    return createLink({
      token: options.token,
      agentId: key.id,
      pingMs: options.pingMs,
      silenceMs: options.messageMs,
      dial: (signal) => options.dial(at, signal),
      onUp(connection) {
        last = connection;
        heartbeatAt = connection.heartbeatAt;
        report(true, `protocol ${connection.protocol}`);
        convergence.connected(connection);
      },
      onHeartbeat(connection) {
        heartbeatAt = connection.heartbeatAt;
        convergence.heartbeat(connection);
      },
      onDown(reason) {
        convergence.disconnected();
        report(false, reason.message);
      },
    });
  }

  /** One agent with a wrong address must keep no other from being served. */
  function findAddress(): Address | undefined {
    try {
      return options.addressOf(record);
    } catch (error) {
      unassigned = `agent ${key.id} can't be reached: ${error instanceof Error ? error.message : String(error)}`;
      return undefined;
    }
  }

  /** The link's own error, with the address that it tried. */
  function withAddress(error: unknown): unknown {
    const name = address === undefined ? "" : formatAddress(address);
    if (!(error instanceof LinkError) || error.message.startsWith(name)) return error;
    return new LinkError(error.code, `${name}: ${error.message}`, error);
  }

  /** Says each change once, not every failed attempt. */
  function report(up: boolean, detail: string): void {
    const text = `${up} ${detail}`;
    if (text === reported) return;
    reported = text;
    options.onLink(key, up, detail);
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
      if (link === undefined) {
        throw new AgentError("unassigned", unassigned);
      }
      if (link.current !== undefined) return link.current;
      return link.ready(signal).catch((error: unknown) => {
        throw withAddress(error);
      });
    },
    async admit(allowStale, signal) {
      const connection = await handle.reach(signal);
      if (allowStale || convergence.state.kind === "applied") return connection;
      await convergence.settled(options.configMs, signal);
      const { state } = convergence;
      if (state.kind === "refused") {
        throw new AgentError(
          "config_refused",
          `revision ${record.configRevision} is not in force: ${state.reason}`,
        );
      }
      if (state.kind === "pending") {
        throw new AgentError(
          "config_pending",
          `revision ${record.configRevision} is not in force yet: ${state.reason}${openclawNote(connection)}`,
        );
      }
      return link?.current ?? handle.reach(signal);
    },
    configStored(config) {
      if (config.revision > record.configRevision) record = { ...record, configRevision: config.revision };
      return convergence.config(config);
    },
    contextStored: (entry) => convergence.context(entry),
    close(reason) {
      convergence.close();
      link?.close(reason);
    },
  };
  return handle;
}

/** A guest whose OpenClaw is away can't apply a configuration: that is then the cause. */
function openclawNote(connection: Connection): string {
  const { openclaw } = connection.heartbeat;
  return openclaw === "down" || openclaw === "starting"
    ? `; the agent says that its OpenClaw is ${openclaw}`
    : "";
}
