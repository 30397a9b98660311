import { randomUUID, timingSafeEqual } from "node:crypto";
import type { Duplex } from "node:stream";
import type { ConfigAckJson } from "@valinor/proto/valinor/link/v1/link";
import {
  type Channel,
  createChannel,
  monotonicNow,
  sha256,
  LinkError,
  type Frame,
  isUint32,
  type ErrorCode,
  PROTOCOL,
} from "@valinor/protocol";
import { openedJson } from "../runs/events.ts";
import { Failure } from "../runs/failure.ts";
import { errorName } from "../log.ts";
import { openRun } from "./messages.ts";
import type { Parts } from "../parts.ts";
import { readMessage } from "./payload.ts";
import { Reader, type ReaderLink } from "./reader.ts";

/** What is queued for a host that was refused has this long to leave. */
const FAREWELL_MS = 1_000;

/** Least time between two heartbeats, but for one that tells `draining`. */
const HEARTBEAT_GAP_MS = 500;

/** What a session tells the agent. */
export interface SessionEvents {
  onExchangeOver(): void;
  /** The link is gone; called once. */
  onClose(session: Session): void;
}

/** One link to a host. docs/wire-protocol.md says what each frame means. */
export class Session implements ReaderLink {
  readonly #parts: Parts;
  readonly #channel: Channel;
  readonly #events: SessionEvents;
  readonly #exchanges = new Map<string, Reader>();
  readonly #helloTimer: NodeJS.Timeout;
  #waiting = new Set<Reader>(); // have something to send and no room on the link
  #roomAsked = false;
  #greeted = false;
  #over = false;
  #status = "";
  #heartbeatAt = -HEARTBEAT_GAP_MS;
  #heartbeatDue = false;
  #kindTold = false;
  #dropped = 0;

  /** Takes over a socket that was accepted and sends the first heartbeat. */
  constructor(socket: Duplex, parts: Parts, events: SessionEvents) {
    this.#parts = parts;
    this.#events = events;
    this.#channel = createChannel(socket, {
      onFrame: (frame) => this.#onFrame(frame),
      onClose: (reason) => this.#closed(reason),
    });
    this.#helloTimer = setTimeout(() => this.#refuse("no hello came in time"), parts.bounds.helloMs);
    const { status, uptime_secs } = parts.heartbeat();
    this.#channel.control("heartbeat", "", { status, uptime_secs, protocol: PROTOCOL });
  }

  /** True while an exchange of this link has not ended. */
  get busy(): boolean {
    return this.#exchanges.size > 0;
  }

  /**
   * Sends a heartbeat where the status changed since the last one, or where `always` says so. News that come in quick
   * succession are told together, by the next tick: hosts take many heartbeats for a flood. `draining` is told at once, and so is
   * the kind of the server when it becomes known: it stands before the answer to a configuration, and hosts send what it wants.
   */
  heartbeat(always: boolean): void {
    if (!this.#greeted || this.#over) return;
    const heartbeat = this.#parts.heartbeat();
    const changed = heartbeat.status !== this.#status;
    if (!always && !changed) return;
    const soon = monotonicNow() - this.#heartbeatAt < HEARTBEAT_GAP_MS;
    const isKnown = heartbeat.openclaw_kind !== undefined;
    if (soon && !(changed && heartbeat.status === "draining") && !(isKnown && !this.#kindTold)) {
      this.#heartbeatDue = true;
      return;
    }
    this.#heartbeatDue = false;
    this.#kindTold ||= isKnown;
    this.#status = heartbeat.status ?? "";
    this.#heartbeatAt = monotonicNow();
    this.#channel.control("heartbeat", "", heartbeat);
  }

  /** To be called every second: sends what is due and closes a link that broke a bound on time. */
  tick(now: number): void {
    const { hostSilenceMs, heartbeatMs } = this.#parts.bounds;
    this.#channel.check(now);
    const silence = now - this.#channel.heardAt;
    if (silence > hostSilenceMs) {
      this.#channel.close(new LinkError("interrupted", `nothing was heard for ${hostSilenceMs / 1000} s`));
    } else if (silence > hostSilenceMs / 2 && this.#greeted) {
      // A host that hears a slow stream has no reason of its own to send: it is asked whether it is there.
      this.#channel.control("ping", randomUUID(), {});
    }
    if (this.#heartbeatDue || monotonicNow() - this.#heartbeatAt >= heartbeatMs) this.heartbeat(true);
  }

  /** Sends what is queued, for at most `ms`, and closes. */
  async finish(ms: number): Promise<void> {
    await this.#channel.finish(new LinkError("closed", "the agent stops"), ms);
  }

  /** Closes at once. */
  destroy(): void {
    this.#channel.close(new LinkError("closed", "the agent stops"));
  }

  offer(frame: Buffer, reader: Reader): boolean {
    if (this.#channel.writer.offer(frame) !== undefined) return true;
    this.#waiting.add(reader);
    if (!this.#roomAsked) {
      this.#roomAsked = true;
      this.#channel.writer.onRoom(() => this.#resume());
    }
    return false;
  }

  error(id: string, code: ErrorCode, message: string): void {
    this.#channel.control("error", id, { code, message });
  }

  over(reader: Reader): void {
    this.#waiting.delete(reader);
    if (this.#exchanges.get(reader.id) === reader) this.#exchanges.delete(reader.id);
    this.#events.onExchangeOver();
  }

  /** Lets readers go on in turn: one that fills the queue again is behind those that wait. */
  #resume(): void {
    const turn = [...this.#waiting];
    this.#waiting.clear();
    this.#roomAsked = false;
    let at = 0;
    while (at < turn.length && !this.#roomAsked) turn[at++]?.resume();
    this.#waiting = new Set([...turn.slice(at), ...this.#waiting]);
  }

  #onFrame(frame: Frame): void {
    if (this.#over) return;
    if (frame.type === "ping") return this.#channel.control("pong", frame.id, {});
    if (!this.#greeted) {
      if (frame.type === "hello") this.#hello(frame);
      else this.#dropped++;
      return;
    }
    // Every other frame belongs to an exchange: without an id there is nobody to answer.
    if (frame.id === "") {
      this.#dropped++;
      return;
    }
    try {
      this.#dispatch(frame);
    } catch (error) {
      this.#failed(frame, error);
    }
  }

  #failed({ id, type }: Frame, error: unknown): void {
    const failure = Failure.from(error);
    if (failure.code === "internal") {
      this.#parts.log.error("frame_failed", { type, reason: errorName(failure.cause) });
    }
    this.error(id, failure.code, failure.message);
  }

  #dispatch(frame: Frame): void {
    const { id, payload } = frame;
    switch (frame.type) {
      case "message":
        return this.#message(frame);
      case "credit":
        return this.#credit(frame);
      case "detach": {
        const reader = this.#exchanges.get(id);
        if (reader === undefined) this.#dropped++;
        return reader?.leave("detached");
      }
      case "cancel":
        return this.#cancel(frame);
      case "config_update":
        return void this.#config(frame);
      case "context_update": {
        const { context } = this.#parts;
        const reason = context.update(payload);
        const ack: ConfigAckJson = { applied: reason === undefined, context_sha256: context.sha256 };
        return this.#channel.control("config_ack", id, reason === undefined ? ack : { ...ack, reason });
      }
      case "pong":
        return;
      default:
        this.#dropped++;
    }
  }

  #hello({ payload }: Frame): void {
    const { token } = this.#parts;
    const told = typeof payload["token"] === "string" ? payload["token"] : "";
    if (token !== undefined && !sameText(told, token)) return this.#refuse("the token is not the right one");
    if (!isUint32(payload["protocol"]) || payload["protocol"] < PROTOCOL) {
      return this.#refuse(`protocol ${PROTOCOL} is spoken here`);
    }
    clearTimeout(this.#helloTimer);
    this.#greeted = true;
    this.#parts.log.info("link_open");
    this.heartbeat(true);
  }

  #refuse(message: string): void {
    if (this.#over) return;
    this.#over = true;
    this.error("", "hello_refused", message);
    void this.#channel.finish(new LinkError("refused", message), FAREWELL_MS);
  }

  #message({ id, payload }: Frame): void {
    // A second message under an id would give one exchange two ends.
    if (this.#exchanges.has(id)) {
      this.#dropped++;
      return;
    }
    const message = readMessage(payload);
    if (typeof message === "string") throw new Failure("invalid_message", message);
    const { bounds, bootId } = this.#parts;
    if (this.#exchanges.size >= bounds.exchanges)
      throw new Failure("busy", "the link has too many exchanges");
    const { run, attached, next } = openRun(message, this.#parts);
    const opened = openedJson(bootId, attached, next, run.life);
    const reader = new Reader(this, run, id, next, message.credit, opened);
    this.#exchanges.set(id, reader);
    run.attach(reader, message.onDisconnect);
  }

  #credit({ id, payload }: Frame): void {
    const reader = this.#exchanges.get(id);
    const limit = payload["limit"] ?? 0;
    if (reader === undefined || typeof limit !== "number") this.#dropped++;
    else reader.credit(limit);
  }

  /** Answers when the configuration is in force or refused, or could not be applied yet. */
  async #config(frame: Frame): Promise<void> {
    try {
      const ack = await this.#parts.config.update(frame.payload);
      if (!this.#over) this.#channel.control("config_ack", frame.id, ack);
    } catch (error) {
      if (!this.#over) this.#failed(frame, error);
    }
  }

  #cancel({ id, payload }: Frame): void {
    const requestId = payload["request_id"];
    const reason = payload["reason"] ?? "";
    if (typeof requestId !== "string" || requestId === "" || typeof reason !== "string") {
      throw new Failure("invalid_message", "cancel names no request_id");
    }
    const run = this.#parts.runs.find(requestId);
    const found = run !== undefined && !run.ended;
    if (found) run.cancel(reason === "" ? "the run was cancelled" : reason.slice(0, 200));
    this.#channel.control("cancel_ack", id, { found });
  }

  #closed(reason: LinkError): void {
    this.#over = true;
    clearTimeout(this.#helloTimer);
    for (const reader of this.#exchanges.values()) reader.leave("lost");
    if (this.#greeted || this.#dropped > 0) {
      this.#parts.log.info("link_closed", {
        code: reason.code,
        reason: reason.message,
        dropped: this.#dropped,
      });
    }
    this.#events.onClose(this);
  }
}

/** Compares without telling by the time it takes how much was right. */
function sameText(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(sha256(a)), Buffer.from(sha256(b)));
}
