import { type Bounds, boundsWith } from "../../../agent/bounds.ts";
import { GuestKernel } from "../../../agent/kernel/guest-kernel.ts";
import type { GuestOutput } from "../../../agent/kernel/ports.ts";
import { freshBoot, type GuestSnapshot } from "../../../agent/kernel/snapshot.ts";
import type { LedgerLine } from "../../../agent/runs/ledger-entries.ts";
import type { ModelRequest } from "../../../agent/runs/model.ts";
import type { WantedConfig } from "../../../agent/settings/config-in-force.ts";
import type { GuestLink } from "../../../protocol/link/guest/guest-link.ts";
import type { LinkPort } from "../../../protocol/link/guest/ports.ts";
import { configDigest } from "../../../protocol/wire/digest.ts";
import { LinkError } from "../../../protocol/wire/errors.ts";
import type { UnknownObject } from "../../../protocol/wire/frame.ts";
import type { FrameType } from "../../../protocol/wire/vocabulary.ts";

/** A frame as a host gets it. */
export interface Got {
  readonly type: string;
  readonly id: string;
  readonly payload: UnknownObject;
  readonly size: number;
}

/** A model's call as its driver has it. */
export interface Call {
  readonly life: string;
  readonly request: ModelRequest;
  readonly watchTools: boolean;
  paused: boolean;
  /** Undefined while it goes on. */
  ended: "answered" | "dropped" | undefined;
}

export interface MachineOptions {
  readonly bounds?: Partial<Bounds>;
  readonly token?: string;
  readonly taken?: readonly LedgerLine[];
  readonly restored?: GuestSnapshot;
}

/** A guest's kernel whose drivers, clock and hosts are the test. */
export class Machine {
  readonly kernel: GuestKernel;
  now: number;
  readonly calls: Call[] = [];
  /** Requests that wait to be written down. */
  readonly recording = new Map<string, LedgerLine>();
  readonly configs: { ticket: number; wanted: WantedConfig }[] = [];
  readonly logged: { event: string; fields: object | undefined }[] = [];
  drained = 0;
  readonly #options: MachineOptions;
  #names = 0;

  constructor(options: MachineOptions = {}, now = 1_000) {
    const { bounds, token, taken = [], restored } = options;
    this.#options = options;
    this.now = now;
    const all = boundsWith(bounds);
    const ids = { life: () => `life-${++this.#names}`, request: () => `request-${++this.#names}` };
    this.kernel = new GuestKernel(
      { bounds: all, ids, token, agentId: undefined, version: "1.2.3", remembers: "memory" },
      this.#output(),
      restored ?? freshBoot({ bootId: "boot", taken }, all, now),
    );
  }

  /** Another machine that goes on from here: its memory is the same, its links are gone. */
  fork(): Machine {
    const restored = structuredClone(this.kernel.snapshot(this.now));
    const fork = new Machine({ ...this.#options, restored }, this.now);
    fork.calls.push(...this.calls.map((call) => ({ ...call })));
    for (const [life, line] of this.recording) fork.recording.set(life, line);
    fork.configs.push(...this.configs);
    fork.#names = this.#names;
    return fork;
  }

  /** A link on which hello was said and answered. */
  greeted(): HostEnd {
    const host = new HostEnd(this);
    host.send("hello", "", { token: "", protocol: 2 });
    return host;
  }

  /** Time goes by; the kernel is woken as it asks to be. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (let looks = 0; looks < 10_000; looks++) {
      const wake = this.kernel.nextWake();
      if (wake === undefined || wake > end) break;
      this.now = Math.max(this.now, wake);
      this.kernel.tick(this.now);
    }
    this.now = end;
  }

  tick(): void {
    this.kernel.tick(this.now);
  }

  /** Everything that waits is written down, or none of it can be. */
  record(ok = true): void {
    for (const life of this.recording.keys()) {
      this.recording.delete(life);
      this.kernel.recorded(life, ok, this.now);
    }
  }

  get call(): Call {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error("no model was called");
    return call;
  }

  says(...texts: string[]): void {
    const events = texts.map((text) => ({ kind: "text" as const, text }));
    this.kernel.modelEvents(this.call.life, events, this.now);
  }

  finishes(finishReason = "stop"): void {
    this.kernel.modelEvents(this.call.life, [{ kind: "finish", finishReason, usage: undefined }], this.now);
  }

  /** Bytes that the journals hold, as the snapshot has them. */
  journalBytes(): number {
    const runs = this.kernel.snapshot(this.now).runs;
    return runs.reduce(
      (sum, { journal }) => sum + journal.events.reduce((bytes, event) => bytes + event.bytes, 0),
      0,
    );
  }

  #output(): GuestOutput {
    const callOf = (life: string) => this.calls.find((call) => call.life === life) as Call;
    return {
      record: (life, line) => void this.recording.set(life, line),
      callModel: (life, request, watchTools) =>
        void this.calls.push({ life, request, watchTools, paused: false, ended: undefined }),
      pauseModel: (life) => (callOf(life).paused = true),
      resumeModel: (life) => (callOf(life).paused = false),
      endModel: (life, answered) => (callOf(life).ended = answered ? "answered" : "dropped"),
      applyConfig: (ticket, wanted) => void this.configs.push({ ticket, wanted }),
      drained: () => void this.drained++,
      log: (_, event, fields) => void this.logged.push({ event, fields }),
      fault: (event, cause) => {
        throw new Error(event, { cause });
      },
    };
  }
}

/** The host's end of a link: what came, and what is sent. */
export class HostEnd implements LinkPort {
  readonly link: GuestLink;
  readonly got: Got[] = [];
  /** Frames that the link takes before it is full. */
  space = Infinity;
  gone: LinkError | undefined;
  readonly #machine: Machine;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.link = machine.kernel.openLink(this, machine.now);
  }

  send(type: string, id: string, payload: object): void {
    if (this.gone !== undefined) return;
    this.link.frame({ type, id, payload: payload as UnknownObject, size: 0 }, this.#machine.now);
  }

  message(id: string, payload: object): void {
    this.send("message", id, { role: "user", content: "hi", ...payload });
  }

  /** The queue has room for so many frames. */
  room(frames: number): void {
    this.space = frames;
    if (this.gone === undefined) this.link.room(this.#machine.now);
  }

  /** The connection is gone. */
  cut(reason = new LinkError("interrupted", "cut")): void {
    if (this.gone !== undefined) return;
    this.gone = reason;
    this.link.closed(reason, this.#machine.now);
  }

  /** Frames of an exchange. */
  of(id: string): Got[] {
    return this.got.filter((frame) => frame.id === id);
  }

  types(id: string): string[] {
    return this.of(id).map(({ type }) => type);
  }

  offer(frame: Buffer): boolean {
    if (this.space <= 0) return false;
    this.space--;
    const { type, id, payload } = JSON.parse(frame.toString("utf8", 4)) as Got;
    this.got.push({ type, id, payload, size: frame.length });
    return true;
  }

  control(type: FrameType, id: string, payload: object): void {
    this.got.push({ type, id, payload: payload as UnknownObject, size: 0 });
  }

  close(reason: LinkError): void {
    this.cut(reason);
  }

  finish(reason: LinkError): void {
    this.cut(reason);
  }
}

/** Payload of a config_update. */
export function configOf(revision: number, config: object = {}, tools?: readonly string[]): object {
  const policy = { mode: tools === undefined ? ("all" as const) : ("listed" as const), tools: tools ?? [] };
  return { config, tool_policy: policy, tool_allowlist: [], revision, sha256: configDigest(config, policy) };
}

/** True for a frame that ends its exchange. */
export function isTerminal({ type, payload }: Got): boolean {
  return type === "error" || type === "tool_blocked" || (type === "chunk" && payload["done"] === true);
}
