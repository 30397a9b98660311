import { setPriority } from "node:os";
import { setImmediate } from "node:timers/promises";
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
  /** Memory that the kernel counts as the process's, bytes. */
  readonly rss: number;
  /** What V8's heap and the buffers outside it hold, bytes; garbage included unless the process was told to collect it. */
  readonly heap: number;
}

/**
 * What a parent asks a child for: a sample, at once or after its garbage was collected, for which it needs `--expose-gc`. Any other word that a
 * script listens to is answered with a sample as well.
 */
export type ParentMessage = "sample" | "collect" | (string & {});

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
  const tell = () => {
    const { user, system } = process.cpuUsage();
    const atUs = Number(process.hrtime.bigint() / 1000n);
    const { rss, heapUsed, external } = process.memoryUsage();
    const sample: Sample = {
      cpuUs: user + system,
      count: count(),
      atUs,
      latency: latency?.(),
      rss,
      heap: heapUsed + external,
    };
    send({ sample } satisfies ChildMessage);
  };
  process.on("message", (message: ParentMessage) => {
    if (message === "collect") void collect().then(tell);
    else tell();
  });
  // A clean exit: with --cpu-prof the profile is written then.
  process.on("disconnect", () => process.exit(0));
  send({ ready: ports } satisfies ChildMessage);
}

/** Sets this process's priority, from -20 (runs first) to 19. Below 0 root alone may: it is left then. */
export function setNice(nice: number): void {
  try {
    if (nice !== 0) setPriority(nice);
  } catch (error) {
    console.error(`the priority could not be set: ${String(error)}`);
  }
}

/** Collects garbage, again after a turn of the loop: what a finalizer lets go of is garbage only then. */
async function collect(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    if (globalThis.gc === undefined) throw new Error("this process was started without --expose-gc");
    globalThis.gc();
    await setImmediate();
  }
}

/** The process's only argument, a JSON value that the parent made. */
export function argument(): unknown {
  return JSON.parse(process.argv[2] ?? "null") as unknown;
}
