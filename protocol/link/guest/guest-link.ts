import type { OpenedJson } from "@valinor/proto/valinor/link/v1/link";
import { LinkError } from "../../wire/errors.ts";
import type { Frame } from "../../wire/frame.ts";
import { isUint32 } from "../../wire/values.ts";
import { type ErrorCode, PROTOCOL } from "../../wire/vocabulary.ts";
import { Failure } from "./failure.ts";
import { HeartbeatPace } from "./heartbeat-pace.ts";
import { HostSilence } from "./host-silence.ts";
import { readMessage } from "./message.ts";
import type { LinkOwner, LinkPort, OwnedLink } from "./ports.ts";
import { Reader, type ReaderLink } from "./reader.ts";

/** Longest reason of a cancel that is told to readers, in UTF-16 units. */
const REASON_LENGTH = 200;

/** The guest's side of one link to a host: docs/wire-protocol.md says what each frame means. It does no I/O: docs/kernel.md. */
export class GuestLink implements OwnedLink, ReaderLink {
  readonly #port: LinkPort;
  readonly #owner: LinkOwner;
  readonly #exchanges = new Map<string, Reader>();
  readonly #pace: HeartbeatPace;
  readonly #silence: HostSilence;
  readonly #helloBy: number;
  /** Have something to send and no room on the link, in the order in which they go on. */
  #waiting = new Set<Reader>();
  #full = false;
  #greeted = false;
  #over = false;
  #pings = 0;
  #dropped = 0;

  /** Takes a link that was just opened, and sends its first heartbeat. */
  constructor(port: LinkPort, owner: LinkOwner, now: number) {
    this.#port = port;
    this.#owner = owner;
    this.#pace = new HeartbeatPace(owner.bounds.heartbeatMs);
    this.#silence = new HostSilence(owner.bounds.hostSilenceMs, now);
    this.#helloBy = now + owner.bounds.helloMs;
    const { status, uptime_secs } = owner.heartbeat(now);
    port.control("heartbeat", "", { status, uptime_secs, protocol: PROTOCOL });
  }

  get busy(): boolean {
    return this.#exchanges.size > 0;
  }

  /** A frame of the host came. */
  frame(frame: Frame, now: number): void {
    if (this.#over) return;
    this.#silence.heard(now);
    if (frame.type === "ping") return this.#port.control("pong", frame.id, {});
    if (!this.#greeted) {
      if (frame.type === "hello") this.#hello(frame, now);
      else this.#dropped++;
      return;
    }
    // Every other frame belongs to an exchange: without an id there is nobody to answer.
    if (frame.id === "") {
      this.#dropped++;
      return;
    }
    try {
      this.#dispatch(frame, now);
    } catch (error) {
      this.#failed(frame, error);
    }
  }

  /** A byte of the host came at that time, whatever it belongs to. */
  heard(at: number): void {
    this.#silence.heard(at);
  }

  /** The port's queue has room again: readers go on in turn, and one that fills it again is behind those that wait. */
  room(now: number): void {
    const turn = [...this.#waiting];
    this.#waiting.clear();
    this.#full = false;
    let next = 0;
    while (next < turn.length && !this.#full) turn[next++]?.resume(now);
    this.#waiting = new Set([...turn.slice(next), ...this.#waiting]);
  }

  /** The link is gone. Nothing is sent after it. */
  closed(reason: LinkError, now: number): void {
    this.#over = true;
    for (const reader of this.#exchanges.values()) reader.leave("lost", now);
    this.#owner.linkClosed(this, { reason, greeted: this.#greeted, dropped: this.#dropped }, now);
  }

  tell(always: boolean, now: number): void {
    if (!this.#greeted || this.#over) return;
    const heartbeat = this.#owner.heartbeat(now);
    if (this.#pace.take(heartbeat, always, now)) this.#port.control("heartbeat", "", heartbeat);
    this.#owner.wakeAt(this.#pace.dueAt);
  }

  tick(now: number): void {
    if (this.#over) return;
    if (!this.#greeted && now >= this.#helloBy) return this.#refuse("no hello came in time");
    const { hostSilenceMs } = this.#owner.bounds;
    const due = this.#silence.due(now);
    if (due === "lost") {
      this.#over = true;
      const reason = `nothing was heard for ${hostSilenceMs / 1000} s`;
      return this.#port.close(new LinkError("interrupted", reason));
    }
    // A host that hears a slow stream has no reason of its own to send: it is asked whether it is there.
    if (due === "ask" && this.#greeted) this.#port.control("ping", `guest-${++this.#pings}`, {});
    if (this.#greeted && now >= this.#pace.dueAt) this.tell(true, now);
  }

  nextWake(): number {
    if (this.#over) return Infinity;
    return Math.min(this.#silence.dueAt, this.#greeted ? this.#pace.dueAt : this.#helloBy);
  }

  offer(frame: Buffer, reader: Reader): boolean {
    // What a lost reader did not get is not taken: it may come back for it.
    if (this.#over) return false;
    if (!this.#full && this.#port.offer(frame)) return true;
    this.#full = true;
    this.#waiting.add(reader);
    return false;
  }

  error(id: string, code: ErrorCode, message: string): void {
    if (!this.#over) this.#port.control("error", id, { code, message });
  }

  over(reader: Reader, now: number): void {
    this.#waiting.delete(reader);
    if (this.#exchanges.get(reader.id) === reader) this.#exchanges.delete(reader.id);
    this.#owner.exchangeEnded(now);
  }

  #failed({ id, type }: Frame, error: unknown): void {
    const failure = Failure.from(error);
    if (failure.code === "internal") this.#owner.frameFailed(type, failure.cause);
    this.error(id, failure.code, failure.message);
  }

  #dispatch(frame: Frame, now: number): void {
    const { id, payload } = frame;
    switch (frame.type) {
      case "message":
        return this.#message(frame, now);
      case "credit":
        return this.#credit(frame, now);
      case "detach": {
        const reader = this.#exchanges.get(id);
        if (reader === undefined) this.#dropped++;
        return reader?.leave("detached", now);
      }
      case "cancel":
        return this.#cancel(frame, now);
      case "config_update":
        return this.#owner.pushConfig(payload, {
          answer: (ack) => (this.#over ? undefined : this.#port.control("config_ack", id, ack)),
        });
      case "context_update":
        return this.#port.control("config_ack", id, this.#owner.pushContext(payload));
      case "pong":
        return;
      default:
        this.#dropped++;
    }
  }

  #hello({ payload }: Frame, now: number): void {
    const token = typeof payload["token"] === "string" ? payload["token"] : "";
    if (!this.#owner.admits(token)) return this.#refuse("the token is wrong");
    if (!isUint32(payload["protocol"]) || payload["protocol"] < PROTOCOL) {
      return this.#refuse(`this guest speaks protocol ${PROTOCOL}`);
    }
    this.#greeted = true;
    this.#owner.linkGreeted();
    this.tell(true, now);
  }

  #refuse(message: string): void {
    this.error("", "hello_refused", message);
    this.#over = true;
    this.#port.finish(new LinkError("refused", message));
  }

  #message({ id, payload }: Frame, now: number): void {
    // A second message under an id would give one exchange two ends.
    if (this.#exchanges.has(id)) {
      this.#dropped++;
      return;
    }
    const message = readMessage(payload);
    if (typeof message === "string") throw new Failure("invalid_message", message);
    const { bounds, bootId } = this.#owner;
    if (this.#exchanges.size >= bounds.exchanges)
      throw new Failure("busy", "the link has too many exchanges");
    const { run, attached, next } = this.#owner.attachOrBegin(message, now);
    const opened: OpenedJson = { boot_id: bootId, attached, next_sequence: next, life: run.life };
    const reader = new Reader(this, run, {
      id,
      next,
      credit: message.credit,
      opened: JSON.stringify(opened),
    });
    this.#exchanges.set(id, reader);
    run.attach(reader, message.onDisconnect, now);
  }

  #credit({ id, payload }: Frame, now: number): void {
    const reader = this.#exchanges.get(id);
    const limit = payload["limit"] ?? 0;
    if (reader === undefined || typeof limit !== "number") this.#dropped++;
    else reader.credit(limit, now);
  }

  #cancel({ id, payload }: Frame, now: number): void {
    const requestId = payload["request_id"];
    const reason = payload["reason"] ?? "";
    if (typeof requestId !== "string" || requestId === "" || typeof reason !== "string") {
      throw new Failure("invalid_message", "cancel names no request_id");
    }
    const told = reason === "" ? "the run was cancelled" : reason.slice(0, REASON_LENGTH);
    const found = this.#owner.cancelRun(requestId, told, now);
    this.#port.control("cancel_ack", id, { found });
  }
}
