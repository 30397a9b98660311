import type { Call } from "./call.ts";
import type { Settings } from "./store.ts";

/** A run to begin or to attach to. */
export interface StreamInput {
  readonly agent: string;
  readonly run: string;
  /** Absent: only attach. */
  readonly message: string | undefined;
  readonly afterSequence: number;
  readonly life: string;
  readonly onDisconnect: "continue" | "cancel";
}

/** The calls that a host serves. */
export interface Server {
  readonly name: string;
  stream(call: Call, input: StreamInput): void;
  /** The whole answer in one reply. */
  send(call: Call, input: StreamInput): void;
  cancel(call: Call, agent: string, run: string): void;
  pushConfig(call: Call, agent: string, config: Settings): void;
  pushContext(call: Call, agent: string, key: string, text: string): void;
  setStatus(call: Call, agent: string, status: "RUNNING" | "STOPPED"): void;
  recreate(call: Call, agent: string): void;
  watch(call: Call): void;
}
