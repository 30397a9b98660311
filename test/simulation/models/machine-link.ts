import { type Frame, type FrameType, type GuestLink, LinkError, type LinkPort } from "@valinor/protocol";
import type { GuestInputs } from "../../../agent/kernel/ports.ts";
import type { History } from "../engine/history.ts";
import type { Wire, WireEnd } from "../engine/wire.ts";
import type { Machine } from "./machine.ts";

/** Bytes that a link takes towards its host before it has no room. */
const QUEUE_BYTES = 64 * 1024;

/** One link of a machine: the guest's end of a connection. */
export class MachineLink implements WireEnd, LinkPort {
  readonly wire: Wire;
  readonly id: number;
  readonly #machine: Machine;
  readonly #history: History;
  #link: GuestLink | undefined;
  #hasNoRoom = false;
  #heartbeat: Frame["payload"] | undefined;

  constructor(machine: Machine, wire: Wire, id: number, history: History) {
    this.#machine = machine;
    this.wire = wire;
    this.#history = history;
    this.id = id;
  }

  /** True while an exchange of it is under way. */
  get isBusy(): boolean {
    return this.#link?.busy === true;
  }

  open(kernel: GuestInputs | undefined, now: number): void {
    this.#link = kernel?.openLink(this, now);
  }

  /** Sends a heartbeat that says something else than is in force: less, or more than anybody pushed. */
  contradict(isLess: boolean): void {
    if (this.#heartbeat === undefined) return;
    const { revision } = this.#machine.truth;
    const other = isLess
      ? { config_revision: Math.max(0, revision - 1), config_sha256: "" }
      : { config_revision: revision + 1, config_sha256: "f".repeat(64) };
    this.control("heartbeat", "", { ...this.#heartbeat, ...other });
  }

  onFrame(frame: Frame): void {
    const limit = frame.payload[frame.type === "message" ? "credit" : "limit"];
    if (typeof limit === "number")
      this.#history.record({
        kind: "granted",
        machine: this.#machine.name,
        wire: this.id,
        id: frame.id,
        limit,
      });
    this.#machine.enter((now) => this.#link?.frame(frame, now));
  }

  onClosed(reason: string): void {
    this.#machine.links.delete(this);
    this.#machine.enter((now) => this.#link?.closed(new LinkError("interrupted", reason), now));
  }

  onArrived(): void {
    if (!this.#hasNoRoom || this.wire.bytesToHost > QUEUE_BYTES / 2) return;
    this.#hasNoRoom = false;
    this.#machine.enter((now) => this.#link?.room(now));
  }

  offer(bytes: Buffer): boolean {
    if (this.wire.bytesToHost > QUEUE_BYTES) {
      this.#hasNoRoom = true;
      this.#history.count("guest: a link had no room");
      return false;
    }
    const { type, id, payload } = JSON.parse(bytes.toString("utf8", 4)) as Frame;
    this.#send({ type, id, payload, size: bytes.length });
    return true;
  }

  control(type: FrameType, id: string, payload: object): void {
    const json = JSON.stringify(payload);
    this.#send({ type, id, payload: JSON.parse(json), size: 40 + id.length + json.length });
  }

  close(reason: LinkError): void {
    this.#machine.links.delete(this);
    this.wire.closeByGuest(reason.message);
    this.#machine.enter((now) => this.#link?.closed(reason, now));
  }

  finish(reason: LinkError): void {
    this.close(reason);
  }

  #send(frame: Frame): void {
    const { type, id, size, payload } = frame;
    if (type === "heartbeat" && "boot_id" in payload) this.#heartbeat ??= payload;
    const digest = payload["context_sha256"];
    if (typeof digest === "string") this.#machine.noteContext(digest);
    const { agent, name: machine } = this.#machine;
    const sequence = payload["sequence"];
    const about =
      typeof sequence === "number" ? { sequence, event: eventOf(payload), isLast: isLast(frame) } : {};
    const opened = typeof payload["life"] === "string" ? { life: payload["life"] } : {};
    this.#history.record({
      kind: "sent",
      agent,
      machine,
      wire: this.id,
      id,
      type,
      size,
      ...about,
      ...opened,
    });
    this.wire.sendToHost(frame, this.#machine.truth);
  }
}

/** What an event says, in short: the piece of the answer that it is, or how the run ended. */
function eventOf(payload: Frame["payload"]): string {
  const text =
    payload["content"] || payload["arguments"] || payload["code"] || payload["finish_reason"] || "";
  const said = typeof text === "string" ? (text.split(";")[0] ?? "") : "";
  return `${said} ${JSON.stringify(payload["mark"] ?? "")}`;
}

function isLast({ type, payload }: Frame): boolean {
  return type === "error" || type === "tool_blocked" || (type === "chunk" && payload["done"] === true);
}
