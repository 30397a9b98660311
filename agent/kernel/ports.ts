import type { ErrorCode, GuestLink, LinkPort } from "@valinor/protocol";
import type { Bounds } from "../bounds.ts";
import type { LogFields } from "../log.ts";
import type { LedgerLine } from "../runs/ledger-entries.ts";
import type { ModelEvent, ModelRequest } from "../runs/model.ts";
import type { ConfigOutcome, WantedConfig } from "../settings/config-in-force.ts";
import type { GuestSnapshot, ServerView } from "./snapshot.ts";

/** What a guest's kernel is told once, when its process starts or its machine is restored. */
export interface GuestOptions {
  readonly bounds: Bounds;
  readonly ids: GuestIds;
  /** Token that a host must tell; undefined if none is needed. */
  readonly token: string | undefined;
  /** Id of the agent, told in heartbeats; undefined if nobody gave it one. */
  readonly agentId: string | undefined;
  /** Version of the program, told in heartbeats. */
  readonly version: string;
  /** Where `record` puts requests. */
  readonly remembers: "disk" | "memory";
}

/** Mints names. Each is never given twice, by no guest, forks of one machine included. */
export interface GuestIds {
  /** Name of a run. */
  life(): string;
  /** Name of a request whose host gave none. */
  request(): string;
}

/**
 * What the kernel has its drivers do. All methods are called synchronously, in order, from within the kernel's inputs; none may call an
 * input back at once, but for `GuestLink.closed`. A run is named by its `life`.
 */
export interface GuestOutput {
  /** Write a request down and sync it; `recorded` tells how that went. The model is not called before. */
  record(life: string, line: LedgerLine): void;
  /**
   * Call the model. What it sends goes to `modelEvents`; a failure to `modelFailed`. With `watchTools`, `modelTool` tells the tools that
   * OpenClaw runs by itself.
   */
  callModel(life: string, request: ModelRequest, watchTools: boolean): void;
  /** The journal is full: read no more of the model's answer until `resumeModel`. Events that are told all the same are kept. */
  pauseModel(life: string): void;
  /** Read on. */
  resumeModel(life: string): void;
  /** The run is over: drop the call, whether it goes on or has ended. `answered` if its last event was the answer's proper end. */
  endModel(life: string, answered: boolean): void;
  /** Make OpenClaw obey a configuration; `configApplied` tells how that went. The next one is not asked for before. */
  applyConfig(ticket: number, config: WantedConfig): void;
  /** The guest that was told to drain has nothing under way any more. Told once. */
  drained(): void;
  /** Write a line of the log. Fields never hold the text of a message. */
  log(level: "info" | "warn" | "error", event: string, fields?: LogFields): void;
  /** A fault of the program itself: write its name and place. */
  fault(event: string, cause: unknown, fields?: LogFields): void;
}

/** Why a model's call failed. */
export interface ModelFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Name of what was behind it, for the log. */
  readonly cause?: string | undefined;
}

/**
 * The inputs of a guest's kernel. `now` is monotonic milliseconds. A call about a run that has ended, or that the kernel does not know,
 * changes nothing.
 */
export interface GuestInputs {
  /** A host has connected. Its frames go to what is answered. */
  openLink(port: LinkPort, now: number): GuestLink;
  /** A request was written down, or could not be. */
  recorded(life: string, ok: boolean, now: number): void;
  /** The model sent something; events that it completed, an empty list if none. */
  modelEvents(life: string, events: readonly ModelEvent[], now: number): void;
  /** OpenClaw runs a tool by itself. */
  modelTool(life: string, name: string, now: number): void;
  /** The model's call has failed. */
  modelFailed(life: string, failure: ModelFailure, now: number): void;
  /** A configuration that `applyConfig` asked for is in force, refused, or could not be applied yet. */
  configApplied(ticket: number, outcome: ConfigOutcome, now: number): void;
  /** The server beside the agent is in another state, or of another kind. */
  openclawChanged(server: ServerView, now: number): void;
  /** Stop: take no message more, tell every host, let runs finish and be read for at most `drainMs`, then cancel what is left. */
  drain(now: number): void;
  /** End every run without a word, as a crash would; the drivers are told to drop their calls. */
  abandon(now: number): void;
  /** Do what is due. */
  tick(now: number): void;
  /** When `tick` next has something to do, perhaps; undefined if never. */
  nextWake(): number | undefined;
  /** A copy of everything that a machine's memory holds of the guest, as plain data. Links are not in it: a restored guest has lost them. */
  snapshot(now: number): GuestSnapshot;
}
