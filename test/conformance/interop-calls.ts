import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../helpers/cleanup.ts";
import { type Program, spawnProgram } from "../helpers/process.ts";

/** What a client program is asked to play: one case on one channel. Names and defaults as in interop-go/main.go. */
export interface Case {
  readonly case: "send" | "stream" | "leave" | "many" | "over" | "idle" | "busy" | "drain";
  readonly message?: string;
  readonly id?: string;
  readonly count?: number;
  /** Number of the last event that is known; for `leave`, of the event to leave at. */
  readonly after?: number;
  readonly bytes?: number;
  /** Milliseconds for each call. */
  readonly deadlineMs?: number;
  /** Milliseconds between pings; absent: none. */
  readonly pingsMs?: number;
  /** Milliseconds to be idle, or busy. */
  readonly idleMs?: number;
  readonly cancelRun?: boolean;
  readonly gzip?: boolean;
  /** Replaces the good credential. */
  readonly token?: string;
}

/** How a call ended. */
export interface Call {
  readonly type: "send" | "status" | "stream" | "rest";
  readonly code: string;
  readonly error: string;
  /** The beginning of what came, no more than 256 KiB; then its size in bytes, and its hash. */
  readonly text: string;
  readonly size: number;
  readonly sha256: string;
  readonly ms: number;
  /** Names of headers and trailers. */
  readonly header: readonly string[];
  readonly trailer: readonly string[];
  readonly reason?: string;
  readonly domain?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retry_ms?: number;
  /** Of streams. */
  readonly id?: string;
  readonly last?: number;
  readonly done?: boolean;
}

/** What a channel did: connections that it took, and bytes on the wire. */
export interface Channel {
  readonly connections: number;
  readonly read: number;
  readonly written: number;
}

/** What a client program printed. */
export interface Outcome {
  readonly calls: readonly Call[];
  readonly channel: Channel;
}

/** Where a client program finds the server. */
export interface Target {
  /** HOST:PORT. */
  readonly target: string;
  /** File with the certificate to trust; undefined: in the clear. */
  readonly ca: string | undefined;
  readonly token: string;
}

/** A program that plays cases with one of gRPC's own libraries. */
export interface GrpcClient {
  readonly name: string;
  /** Starts a case; it has 60 s. */
  start(target: Target, what: Case): { readonly program: Program; readonly outcome: Promise<Outcome> };
  /** Plays a case to its end. */
  play(target: Target, what: Case): Promise<Outcome>;
}

/** The client on grpc-go, built from interop-go, which takes a minute if Go's cache is empty. */
export async function buildGoClient(): Promise<GrpcClient> {
  const dir = join(tempDir(), "bin");
  mkdirSync(dir);
  const binary = join(dir, "interop-go");
  const build = spawnProgram("go", ["build", "-o", binary, "."], {
    cwd: join(import.meta.dirname, "interop-go"),
  });
  const { code } = await build.exited;
  if (code !== 0) throw new Error(`go build failed: ${build.stderr()}`);
  return clientOf("grpc-go", binary, []);
}

/** The client on grpc-js, which is interop-js.ts. */
export function jsClient(): GrpcClient {
  return clientOf("grpc-js", process.execPath, [join(import.meta.dirname, "interop-js.ts")]);
}

function clientOf(name: string, command: string, args: readonly string[]): GrpcClient {
  const client: GrpcClient = {
    name,
    start(target, what) {
      const program = spawnProgram(command, [...args, ...flagsOf(target, what)]);
      return { program, outcome: outcomeOf(name, program) };
    },
    play: (target, what) => client.start(target, what).outcome,
  };
  return client;
}

function flagsOf({ target, ca = "", token }: Target, what: Case): string[] {
  const { deadlineMs, pingsMs, idleMs, cancelRun, gzip, ...rest } = what;
  const flags = Object.entries({ target, ca, token, ...rest }).map(([key, value]) => `--${key}=${value}`);
  for (const [key, ms] of Object.entries({ deadline: deadlineMs, pings: pingsMs, idle: idleMs }))
    if (ms !== undefined) flags.push(`--${key}=${ms}ms`);
  if (cancelRun === true) flags.push("--cancel-run");
  if (gzip === true) flags.push("--gzip");
  return flags;
}

async function outcomeOf(name: string, program: Program): Promise<Outcome> {
  const timer = setTimeout(() => program.kill("SIGKILL"), 60_000);
  const { code } = await program.exited;
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${name} ended with ${code}: ${program.stderr()}${program.stdout()}`);
  const lines = program
    .stdout()
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as { readonly type: string });
  const channel = lines.find(({ type }) => type === "channel");
  if (channel === undefined) throw new Error(`${name} told nothing of its channel: ${program.stdout()}`);
  const calls = lines.filter(({ type }) => ["send", "status", "stream", "rest"].includes(type));
  return { calls: calls as unknown as Call[], channel: channel as unknown as Channel };
}
