import { createServer, type Server, type Socket } from "node:net";
import { Context } from "../../agent/settings/context.ts";
import { createFrameDecoder } from "../../protocol/wire/decoder.ts";
import { configDigest, type PolicyForDigest } from "../../protocol/wire/digest.ts";
import { encodeFrame, type Frame, type UnknownObject } from "../../protocol/wire/frame.ts";
import type { FrameType } from "../../protocol/wire/vocabulary.ts";
import type { BootLog, GuestPlan, GuestReport, InForce, Received } from "./messages.ts";
import type { Random } from "../helpers/random.ts";

/** A context entry with this text is refused by every boot. */
export const REFUSED_TEXT = "refuse this";

/** Why a configuration is refused at random. */
export const REFUSED_REASON = "the dice say no";

const BOUNDS = { contextEntries: 64, contextEntryBytes: 10_000, contextBytes: 100_000 };

/** How often things go wrong while they may, for one frame. */
const FAULTS = {
  refused: 0.05,
  delayed: 0.2,
  doubled: 0.15,
  stale: 0.1,
  silent: 0.01,
  cut: 0.02,
  notNow: 0.03,
};

/** Now, on the clock that both threads have. */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * A guest that keeps the rules of docs/wire-protocol.md section 10, and writes down what it really applied. What reaches the host of
 * it is late, doubled, out of order or nothing at all, as long as faults are on.
 */
export class SimulatedGuest {
  readonly #plan: GuestPlan;
  readonly #random: Random;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #boots: BootLog[] = [];
  readonly #received: Received[] = [];
  #context = new Context(BOUNDS);
  /** Acknowledgements of exchanges that are over: sent again at random. */
  #old: [id: string, payload: object][] = [];
  #refusals = new Map<number, boolean>();
  #faults = true;
  #cuts = 0;

  constructor(plan: GuestPlan, random: Random) {
    this.#plan = plan;
    this.#random = random;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#boot(plan.revision);
  }

  /** Listens at the planned path. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#plan.path, resolve);
    });
  }

  /** To be called now and then: cuts links and starts anew, if it is one of those that do. */
  tick(): void {
    if (!this.#faults || !this.#plan.flaps) return this.#heartbeat();
    if (this.#random.chance(0.1)) this.#boot(0);
    else if (this.#random.chance(0.4)) this.#cut();
    else this.#heartbeat();
  }

  /** Cuts the links of those that flap a last time; from then on everything is right and in time. */
  endFaults(): void {
    this.#faults = false;
    if (this.#plan.flaps) this.#cut();
  }

  report(): GuestReport {
    return { boots: this.#boots, received: this.#received, cuts: this.#cuts };
  }

  get inForce(): InForce {
    const { revision, sha256 } = this.#now;
    return { revision, sha256, contextSha256: this.#context.sha256 };
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  get #now(): BootLog {
    return this.#boots.at(-1) as BootLog;
  }

  #boot(revision: number): void {
    const sha256 = revision === 0 ? "" : "f".repeat(64);
    this.#boots.push({ bootId: `${this.#plan.id}.${this.#boots.length}`, revision, sha256, applied: [] });
    this.#context = new Context(BOUNDS);
    this.#refusals.clear();
    this.#old = [];
    this.#cut();
  }

  #cut(): void {
    if (this.#sockets.size > 0) this.#cuts++;
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.#sockets.delete(socket));
    if (this.#faults && this.#plan.flaps && this.#random.chance(0.1)) return void socket.destroy();
    const decoder = createFrameDecoder((frame) => this.#take(socket, frame));
    socket.on("data", (bytes: Buffer) => decoder.push(bytes));
    const { protocol } = this.#plan;
    send(socket, "heartbeat", "", { status: "ready", uptime_secs: 0, ...(protocol === 2 && { protocol }) });
  }

  #heartbeat(): void {
    const payload = this.#describe();
    for (const socket of this.#sockets) this.#late(socket, "heartbeat", "", payload);
  }

  #describe(): object {
    const common = { status: "ready", uptime_secs: 1 };
    if (this.#plan.protocol === 1) return common;
    const { bootId, revision, sha256 } = this.#now;
    const config = { config_revision: revision, config_sha256: sha256 };
    const context = { context_sha256: this.#context.sha256 };
    return { ...common, protocol: 2, boot_id: bootId, ...config, ...context, openclaw: "ready" };
  }

  #take(socket: Socket, { type, id, payload }: Frame): void {
    if (type === "ping") return send(socket, "pong", id, {});
    if (type === "hello") return send(socket, "heartbeat", "", this.#describe());
    if (type !== "config_update" && type !== "context_update") return;
    if (this.#isFault("cut") && this.#plan.flaps && this.#random.chance(0.5)) return this.#cut();
    const ack = type === "config_update" ? this.#config(payload) : this.#updateContext(payload);
    if (this.#isFault("cut") && this.#plan.flaps) return this.#cut();
    if (ack === undefined || this.#isFault("silent")) return;
    this.#late(socket, "config_ack", id, ack);
    if (this.#isFault("doubled")) this.#late(socket, "config_ack", id, ack);
    const old = this.#old[this.#random.below(8)];
    if (old !== undefined && this.#isFault("stale")) this.#late(socket, "config_ack", ...old);
    this.#old.unshift([id, ack]);
    this.#old.length = Math.min(this.#old.length, 8);
  }

  #isFault(kind: keyof typeof FAULTS): boolean {
    return this.#faults && this.#random.chance(FAULTS[kind]);
  }

  /** Sends it; later than what comes after it, at random. */
  #late(socket: Socket, type: FrameType, id: string, payload: object): void {
    if (!this.#isFault("delayed")) return send(socket, type, id, payload);
    setTimeout(() => send(socket, type, id, payload), this.#random.below(400));
  }

  #config(payload: UnknownObject): object | undefined {
    const now = this.#now;
    if (this.#plan.protocol === 1) return this.#configOfProtocol1(payload);
    const { revision, sha256, config } = payload as { revision: number; sha256: string; config: object };
    this.#received.push({ bootId: now.bootId, revision, time: clock() });
    const ack = (reason?: string, more = {}) => {
      const inForce = { revision: now.revision, sha256: now.sha256 };
      return reason === undefined
        ? { applied: true, ...inForce }
        : { applied: false, ...inForce, reason, ...more };
    };
    if (sha256 !== configDigest(config, payload["tool_policy"] as PolicyForDigest))
      return ack("wrong digest");
    if (revision < now.revision) return ack(`revision ${revision} is older than ${now.revision}`);
    if (revision === now.revision)
      return ack(sha256 === now.sha256 ? undefined : "another digest is in force");
    if (this.#refuses(revision)) return ack(REFUSED_REASON);
    if (this.#isFault("notNow")) return ack("not now", { retry: true });
    Object.assign(now, { revision, sha256 });
    now.applied.push({ revision, sha256, time: clock() });
    return ack();
  }

  /** Once for a revision in a boot: what was refused stays refused. */
  #refuses(revision: number): boolean {
    const known = this.#refusals.get(revision);
    if (known !== undefined) return known;
    const refuses = this.#isFault("refused");
    this.#refusals.set(revision, refuses);
    return refuses;
  }

  #configOfProtocol1(payload: UnknownObject): object {
    const list = payload["tool_allowlist"] as string[];
    const mode = list.length === 0 ? "all" : "listed";
    const sha256 = configDigest(payload["config"], { mode, tools: list });
    this.#now.sha256 = sha256;
    this.#now.applied.push({ revision: 0, sha256, time: clock() });
    return { applied: true };
  }

  #updateContext(payload: UnknownObject): object {
    const refused = payload["context"] === REFUSED_TEXT ? "nobody wants this" : undefined;
    const reason = refused ?? this.#context.update(payload);
    const told = this.#plan.protocol === 1 ? {} : { context_sha256: this.#context.sha256 };
    return reason === undefined ? { applied: true, ...told } : { applied: false, reason, ...told };
  }
}

function send(socket: Socket, type: FrameType, id: string, payload: object): void {
  if (!socket.destroyed) socket.write(encodeFrame(type, id, payload));
}
