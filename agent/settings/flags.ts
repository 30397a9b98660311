import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type Address, errorText, VSOCK_ANY } from "@valinor/protocol";
import type { AgentOptions, ServerKind } from "./options.ts";

/** What the command line asks for. */
export type Command =
  | { readonly kind: "help" }
  | { readonly kind: "version" }
  | { readonly kind: "run"; readonly options: AgentOptions };

/** Where an agent in a guest keeps its state, unless it is told otherwise. */
const STATE_DIR = "/var/lib/valinor-agent";

/** Answer to `--help`. */
export const USAGE = `valinor-agent: runs messages of a Valinor host on the OpenClaw beside it

Usage: valinor-agent [flags]

  --transport vsock|tcp|unix     how hosts reach the agent (vsock)
  --port PORT                    port of vsock or tcp; 0 takes a free tcp port (1024)
  --host HOST                    address that tcp listens on (127.0.0.1)
  --path PATH                    Unix socket that unix listens on
  --token-file FILE              secret that a host must tell; required on tcp and unix
  --insecure                     asks hosts for no secret; on Unix sockets and loopback only
  --openclaw-url URL             OpenClaw, or another server of OpenAI's API (http://localhost:8081)
  --openclaw-token-file FILE     its bearer token
  --server-kind auto|openclaw|openai
                                 what answers at that URL; auto finds it out (auto)
  --state-dir DIR|none           where the agent remembers the requests that it has taken; with none they run again after a restart
                                 ($STATE_DIRECTORY; else on vsock ${STATE_DIR}, else none)
  --agent-id ID                  id that the agent tells hosts, so that they know whom they reached
  --drain-seconds SECONDS        time that runs have to finish on SIGTERM (30)
  --help, --version
`;

/** A command line that cannot be followed; the message says why. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

const flags = {
  transport: { type: "string", default: "vsock" },
  port: { type: "string", default: "1024" },
  host: { type: "string", default: "127.0.0.1" },
  path: { type: "string" },
  "token-file": { type: "string" },
  insecure: { type: "boolean", default: false },
  "openclaw-url": { type: "string", default: "http://localhost:8081" },
  "openclaw-token-file": { type: "string" },
  "server-kind": { type: "string", default: "auto" },
  "state-dir": { type: "string" },
  "agent-id": { type: "string" },
  "drain-seconds": { type: "string", default: "30" },
  help: { type: "boolean", short: "h", default: false },
  version: { type: "boolean", default: false },
} as const;

/** Reads the command line (without program and script), the files it names, and systemd's $STATE_DIRECTORY. Throws UsageError. */
export function parseCommand(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Command {
  const values = parseFlags(argv);
  if (values.help) return { kind: "help" };
  if (values.version) return { kind: "version" };
  const options: AgentOptions = {
    address: readAddress(values),
    openclawUrl: readUrl(values["openclaw-url"]),
    serverKind: readKind(values["server-kind"]),
    openclawToken: readToken("openclaw-token-file", values["openclaw-token-file"]),
    token: readToken("token-file", values["token-file"]),
    insecure: values.insecure,
    ...readStateDir(values, env["STATE_DIRECTORY"]),
    agentId: values["agent-id"],
    bounds: { drainMs: 1000 * readNumber("drain-seconds", values["drain-seconds"], 0, 86_400) },
  };
  return { kind: "run", options };
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: flags, strict: true, allowPositionals: false }).values;
  } catch (error) {
    throw new UsageError(errorText(error), { cause: error });
  }
}

function readAddress(values: ReturnType<typeof parseFlags>): Address {
  const { transport, host, path } = values;
  switch (transport) {
    case "vsock":
      return { kind: "vsock", cid: VSOCK_ANY, port: readNumber("port", values.port, 1, 0xfffffffe) };
    case "tcp":
      return { kind: "tcp", host, port: readNumber("port", values.port, 0, 65_535) };
    case "unix":
      if (!path?.startsWith("/")) throw new UsageError("--transport unix needs --path with an absolute path");
      return { kind: "unix", path };
    default:
      throw new UsageError(`--transport is vsock, tcp or unix, not ${transport}`);
  }
}

/** systemd gives the directories of a unit with colons between; the first is the agent's. */
function readStateDir(
  { transport, "state-dir": given }: ReturnType<typeof parseFlags>,
  byUnit: string | undefined,
): Pick<AgentOptions, "stateDir" | "stateDirByDefault"> {
  if (given === "") throw new UsageError("--state-dir is a directory, or none");
  if (given !== undefined) return { stateDir: given === "none" ? undefined : given };
  const [first = ""] = (byUnit ?? "").split(":");
  if (first !== "") return { stateDir: first };
  return transport === "vsock" ? { stateDir: STATE_DIR, stateDirByDefault: true } : { stateDir: undefined };
}

function readNumber(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most) {
    throw new UsageError(`--${name} is a number from ${least} to ${most}, not ${text}`);
  }
  return value;
}

function readUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol !== "http:" && url?.protocol !== "https:") {
    throw new UsageError(`--openclaw-url is an http or https URL, not ${text}`);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "") {
    throw new UsageError("--openclaw-url holds no credentials and no query: use --openclaw-token-file");
  }
  return text;
}

function readKind(text: string): ServerKind | undefined {
  switch (text) {
    case "auto":
      return undefined;
    case "openclaw":
      return "openclaw";
    case "openai":
      return "plain";
    default:
      throw new UsageError(`--server-kind is auto, openclaw or openai, not ${text}`);
  }
}

/** The secret in a file, without the white space around it. */
function readToken(name: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  let token: string;
  try {
    token = readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new UsageError(`--${name}: ${errorText(error)}`, {
      cause: error,
    });
  }
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new UsageError(`--${name}: ${path} holds no token of printable characters`);
  return token;
}
