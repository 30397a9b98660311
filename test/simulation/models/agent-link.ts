import { type CreditPool, LinkError, limits, Redial, type UnaskedTotal } from "@valinor/protocol";
import type { Clock } from "../engine/clock.ts";
import type { History } from "../engine/history.ts";
import { Alarm, type NodeClock } from "../engine/node-clock.ts";
import type { Chance } from "../engine/random.ts";
import { Signal, type Tasked, waitUntil } from "../engine/task.ts";
import type { Wire } from "../engine/wire.ts";
import { HostConnection, type LinkMaker } from "./connection.ts";

/** What the link of an agent needs of the host around it. */
export interface AgentLinkParts {
  readonly host: string;
  readonly clock: Clock;
  readonly local: NodeClock;
  readonly chance: Chance;
  readonly history: History;
  readonly unasked: UnaskedTotal;
  readonly credit: CreditPool;
  readonly makeLink: LinkMaker;
  mintId(): string;
  /** Connects to the agent: `made` is called with the wire, or with undefined if nobody listens; or never, as in life. */
  dial(agent: string, connection: HostConnection, made: (wire: Wire | undefined) => void): void;
}

/** What a link tells the agent that it is of. */
export interface AgentLinkEvents {
  onUp(connection: HostConnection): void;
  onHeartbeat(connection: HostConnection): void;
  onDown(): void;
}

/** A lasting link to one agent, by the real kernels of links and redials: a model of src/link's driver. */
export class AgentLink {
  /** The connection that is up. */
  current: HostConnection | undefined;
  /** The last one that was, also when it is gone. */
  last: HostConnection | undefined;
  /** The link came up. */
  readonly stirred = new Signal();
  readonly #agent: string;
  readonly #parts: AgentLinkParts;
  readonly #events: AgentLinkEvents;
  readonly #redial = new Redial();
  readonly #alarm: Alarm;
  #dialled: HostConnection | undefined; // whose hello is not over
  #waiting = 0; // calls that wait for the link
  #lastError = "not dialled yet";
  #isOpen: boolean;
  #isClosed = false;

  /** Begins to dial, if the agent is to run. */
  constructor(agent: string, isToRun: boolean, parts: AgentLinkParts, events: AgentLinkEvents) {
    this.#agent = agent;
    this.#isOpen = isToRun;
    this.#parts = parts;
    this.#events = events;
    this.#alarm = new Alarm(
      parts.clock,
      parts.local,
      () => (this.#isOpen ? this.#redial.at : undefined),
      () => this.#dial(),
    );
    this.#alarm.look();
  }

  /** The connection, waiting for it at most 5 s. Throws LinkError. */
  *ready(): Tasked<HostConnection> {
    if (this.current !== undefined) return this.current;
    this.#waiting++;
    this.#redial.wanted(this.#parts.local.now());
    this.#alarm.reset();
    try {
      const isUp = () => this.current !== undefined;
      yield* waitUntil(this.#parts.clock, isUp, limits.requestDialMs, this.stirred);
      if (this.current !== undefined) return this.current;
      throw new LinkError("unreachable", this.#lastError);
    } finally {
      this.#waiting--;
    }
  }

  /** The agent is to run, or is not any more. */
  route(isToRun: boolean): void {
    this.#isOpen = isToRun;
    const reason = new LinkError("closed", "the agent's record has changed");
    if (!isToRun) for (const connection of [this.current, this.#dialled]) connection?.link.close(reason);
    this.#alarm.reset();
  }

  /** The process dies. */
  drop(silently: boolean): void {
    this.#isClosed = true;
    this.#alarm.stop();
    this.current?.drop(silently);
    this.#dialled?.drop(silently);
  }

  /** The clock of the host has jumped. */
  resetAlarms(): void {
    this.#alarm.reset();
    this.current?.resetAlarm();
    this.#dialled?.resetAlarm();
  }

  #dial(): void {
    if (!this.#isOpen || this.#dialled !== undefined || this.current !== undefined) return;
    const { host, clock, local, history, unasked, credit, makeLink } = this.#parts;
    this.#redial.begun();
    const parts = {
      host,
      clock,
      local,
      history,
      makeLink,
      agent: this.#agent,
      shared: { unasked, credit, mintId: () => this.#parts.mintId() },
      onUp: (up: HostConnection) => this.#up(up),
      onHeartbeat: (up: HostConnection) => up === this.current && this.#events.onHeartbeat(up),
      onEnd: (ended: HostConnection, reason: LinkError) => this.#ended(ended, reason),
    };
    const connection = new HostConnection(parts, local.now() + limits.helloMs);
    this.#dialled = connection;
    this.#parts.dial(this.#agent, connection, (wire) => {
      if (this.#isClosed || this.#dialled !== connection) return wire?.closeByHost("nobody waits for it");
      if (wire === undefined) connection.onClosed("nobody listens");
      else connection.join(wire);
    });
  }

  #up(connection: HostConnection): void {
    this.#dialled = undefined;
    this.current = this.last = connection;
    this.#lastError = "";
    this.#redial.up(this.#parts.local.now());
    this.#parts.history.count("host: a link came up");
    this.#events.onUp(connection);
    this.stirred.wake();
  }

  #ended(connection: HostConnection, reason: LinkError): void {
    if (this.#isClosed) return;
    const wasUp = connection === this.current;
    if (!wasUp && connection !== this.#dialled) return;
    this.current = this.#dialled = undefined;
    this.#lastError = reason.message;
    this.#redial.down(this.#parts.local.now(), this.#waiting > 0, this.#parts.chance.next());
    if (wasUp) this.#events.onDown();
    this.#alarm.reset();
  }
}
