import { readFileSync } from "node:fs";
import { createValinorClient, type ValinorClient, ValinorError } from "@valinor/client";
import { isTenant, errorText } from "@valinor/protocol";
import type { Environment } from "../terminal/environment.ts";
import { CliError } from "../terminal/errors.ts";
import { explainError } from "./errors/explain.ts";
import { createTransport } from "./transport.ts";

const DEFAULT_SERVER = "http://127.0.0.1:8080";
/** Longest wait for the answer of a call that streams nothing. */
const CALL_MS = 30_000;
/** What a shell says of a program that SIGPIPE ended. */
const BROKEN_PIPE = 141;

/** Flags that say which server is called. */
export interface ServerOptions {
  /** Default: VALINOR_SERVER, or else http://127.0.0.1:8080. */
  readonly server?: string;
  /** Tenant to work on, for callers that may work on several. */
  readonly tenant?: string;
  /** Certificates of the CAs to trust, in PEM; default: those of Node. */
  readonly caFile?: string;
}

/** Where a server is and how it is called. */
export interface Target {
  readonly url: URL;
  /** An API key or token, of VALINOR_API_KEY. */
  readonly credential: string | undefined;
  readonly tenant: string | undefined;
  readonly ca: string | undefined;
}

/** What a command has of its server. */
export interface Session {
  readonly target: Target;
  readonly client: ValinorClient;
  /** Aborts when the command is to end; its reason is the CliError to end with. */
  readonly signal: AbortSignal;
  /** Options of every call that streams nothing. */
  readonly call: { readonly signal: AbortSignal; readonly timeoutMs: number };
}

/** Reads where the server is. Throws CliError if a flag or variable can't be used; its text never has the credential. */
export function targetOf(options: ServerOptions, env: Environment): Target {
  const text = options.server ?? (env["VALINOR_SERVER"] || DEFAULT_SERVER);
  const credential = env["VALINOR_API_KEY"]?.trim() || undefined;
  if (credential !== undefined && !/^[\x21-\x7e]{1,8192}$/.test(credential))
    throw usage(
      "VALINOR_API_KEY is neither an API key nor a token: it contains spaces or characters that neither has",
    );
  if (options.tenant !== undefined && !isTenant(options.tenant))
    throw usage("--tenant must be 1 to 63 letters, digits, dots, underscores and hyphens");
  return {
    url: serverUrl(text),
    credential,
    tenant: options.tenant,
    ca: options.caFile === undefined ? undefined : readCa(options.caFile),
  };
}

/** Makes the client of a server; nothing is connected yet. */
function clientOf({ url, credential, tenant, ca }: Target): ValinorClient {
  return createValinorClient({
    transport: createTransport(url, ca),
    ...(credential === undefined ? {} : { apiKey: credential }),
    ...(tenant === undefined ? {} : { tenant }),
  });
}

/**
 * Runs a command against its server. Ctrl-C and SIGTERM abort the session's signal, a second one ends the process at once. Rejects
 * with CliError: the error of a call explained, or exit code 130 (143) after a signal.
 */
export async function withServer(
  options: ServerOptions,
  env: Environment,
  use: (session: Session) => Promise<void>,
): Promise<void> {
  const target = targetOf(options, env);
  const ending = endsOf();
  try {
    const { signal } = ending;
    await use({ target, client: clientOf(target), signal, call: { signal, timeoutMs: CALL_MS } });
  } catch (error) {
    if (ending.pipeBroke()) process.exit(BROKEN_PIPE);
    throw error instanceof ValinorError ? explainError(error, target.url) : error;
  } finally {
    ending.release();
  }
}

function endsOf(): { signal: AbortSignal; pipeBroke(): boolean; release(): void } {
  const controller = new AbortController();
  let broke = false;
  const end = (text: string, exitCode: 130 | 143) => () => {
    if (controller.signal.aborted) process.exit(exitCode);
    controller.abort(new CliError(text, { exitCode }));
  };
  const onInterrupt = end("interrupted", 130);
  const onTerminate = end("terminated", 143);
  // Whoever reads the output has left, as `head` does: there is nobody to write for.
  const onError = (error: Error & { code?: string }): void => {
    if (error.code !== "EPIPE") throw error;
    broke = true;
    controller.abort(new CliError("nobody reads the output"));
  };
  process.on("SIGINT", onInterrupt);
  process.on("SIGTERM", onTerminate);
  process.stdout.on("error", onError);
  return {
    signal: controller.signal,
    pipeBroke: () => broke,
    release() {
      process.off("SIGINT", onInterrupt);
      process.off("SIGTERM", onTerminate);
    },
  };
}

function serverUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw usage(
      `the server must be a URL such as ${DEFAULT_SERVER} or https://valinor.example.com, not ${text}`,
    );
  if (url.username !== "" || url.password !== "")
    throw usage("the server's URL must hold no credentials: set VALINOR_API_KEY");
  return url;
}

function readCa(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new CliError(`--ca-file ${file} can't be read: ${errorText(error)}`, {
      cause: error,
      exitCode: 2,
    });
  }
}

function usage(message: string): CliError {
  return new CliError(message, { exitCode: 2 });
}
