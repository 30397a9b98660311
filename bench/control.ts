import type { LatencyFigures } from "./latency.ts";

/** What a child process of the benchmark tells about itself at one moment. */
export interface Sample {
  /** CPU that the process has used since its start, user and system together, microseconds. */
  readonly cpuUs: number;
  /** Operations counted since its start; 0 for a process that counts none. */
  readonly count: number;
  /** Monotonic clock that all processes of the machine share, microseconds. */
  readonly atUs: number;
  /** How long its calls took since the sample before; undefined for a process that makes none. */
  readonly latency: LatencyFigures | undefined;
}

/** What a child sends to its parent. */
export type ChildMessage = { readonly ready: readonly number[] } | { readonly sample: Sample };

/**
 * The child's side: tells the parent the ports that it listens on, answers every message with a sample, and ends with its
 * parent. Throws if the process was not started with an IPC channel. `latency` gives what it measured since it was last called.
 */
export function serveControl(
  ports: readonly number[],
  count: () => number,
  latency?: () => LatencyFigures | undefined,
): void {
  const send = process.send?.bind(process);
  if (send === undefined) throw new Error("start this with bench/run.ts: it needs an IPC channel");
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    const atUs = Number(process.hrtime.bigint() / 1000n);
    const sample: Sample = { cpuUs: user + system, count: count(), atUs, latency: latency?.() };
    send({ sample } satisfies ChildMessage);
  });
  // A clean exit: with --cpu-prof the profile is written then.
  process.on("disconnect", () => process.exit(0));
  send({ ready: ports } satisfies ChildMessage);
}

/** The process's only argument, a JSON value that the parent made. */
export function argument(): unknown {
  return JSON.parse(process.argv[2] ?? "null") as unknown;
}
