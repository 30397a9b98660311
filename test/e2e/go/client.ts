import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { tempDir } from "../../helpers/cleanup.ts";
import { spawnProgram } from "../../helpers/process.ts";

/** One call of the Go client; see main.go. */
export interface GoCall {
  url: string;
  protocol: "connect" | "grpc" | "grpcweb";
  mode: "send" | "stream" | "error";
  /** Default `demo`. */
  agent?: string;
  /** Absent: a stream only attaches to `requestId`. */
  message?: string;
  requestId?: string;
  /** Sequence of the last event that is known. */
  after?: number;
  token?: string;
}

/** One line that it printed: an event, the answer, or the error (code, reason, domain, metadata, retry_after_ms). */
export interface GoLine {
  type: string;
  [field: string]: unknown;
}

/**
 * Why the Go client cannot run here, for `describe.skipIf`; undefined if it can. Under CI it always can: a machine
 * without Go then fails the build of the client.
 */
export function reasonToSkipGo(): string | undefined {
  if (process.env["CI"] === "true" || spawnSync("go", ["version"]).status === 0) return undefined;
  return "go is not on the PATH";
}

/** Builds the client, which takes a minute if Go's cache is empty, and gives the path of the program. */
export async function buildGoClient(): Promise<string> {
  const binary = join(tempDir(), "client");
  const build = spawnProgram("go", ["build", "-o", binary, "."], { cwd: import.meta.dirname });
  const { code } = await build.exited;
  if (code !== 0) throw new Error(`go build failed: ${build.stderr()}`);
  return binary;
}

/** Makes one call, which has 20 s, and gives what it printed. Rejects if the client itself failed. */
export async function callFromGo(binary: string, call: GoCall): Promise<GoLine[]> {
  const flags = ["-url", call.url, "-protocol", call.protocol, "-mode", call.mode];
  flags.push("-agent", call.agent ?? "demo", "-message", call.message ?? "");
  flags.push("-request-id", call.requestId ?? "", "-after", String(call.after ?? 0));
  flags.push("-token", call.token ?? "");
  const program = spawnProgram(binary, flags);
  const { code } = await program.exited;
  if (code !== 0) throw new Error(`the Go client ended with ${code}: ${program.stderr()}${program.stdout()}`);
  const lines = program.stdout().split("\n").filter(Boolean);
  return lines.map((line) => JSON.parse(line) as GoLine);
}
