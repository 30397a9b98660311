import type { Transport } from "@connectrpc/connect";
import { connectionLost, toValinorError } from "./errors.ts";

/** An API key or a JWT, or a function that gives one: it is asked for every call, so that tokens can be renewed. Empty: none. */
export type Credential = string | (() => string | Promise<string>);

/** Who calls, and how long a call may take. */
export interface CallerOptions {
  /** Sent as `Authorization: Bearer`. */
  readonly apiKey?: Credential;
  /** Tenant to work on, for credentials that may work on several; default: the credential's own. */
  readonly tenant?: string;
  /** Milliseconds after which a call that streams nothing fails; default: no bound but the server's. */
  readonly callTimeoutMs?: number;
  /** Is told that the server refused a credential (UNAUTHENTICATED): the one that the call had, empty if it had none. */
  readonly onRefused?: (credential: string) => void;
}

/** The same transport, with every error a ValinorError; a call that its signal aborted rejects with the signal's reason. */
export function typedErrors(transport: Transport, caller: CallerOptions = {}): Transport {
  return {
    async unary(method, signal, timeoutMs, header, ...rest) {
      const call = new Call(caller, signal);
      try {
        const limit = timeoutMs ?? caller.callTimeoutMs;
        return await transport.unary(method, signal, limit, await call.headers(header), ...rest);
      } catch (error) {
        throw call.failure(error);
      }
    },
    async stream(method, signal, timeoutMs, header, ...rest) {
      const call = new Call(caller, signal);
      try {
        const headers = await call.headers(header);
        const response = await transport.stream(method, signal, timeoutMs, headers, ...rest);
        return { ...response, message: call.rethrow(response.message) };
      } catch (error) {
        throw call.failure(error);
      }
    },
  };
}

/** One call: which credential it had, and what its errors mean. */
class Call {
  readonly #caller: CallerOptions;
  readonly #signal: AbortSignal | undefined;
  #credential = "";

  constructor(caller: CallerOptions, signal: AbortSignal | undefined) {
    this.#caller = caller;
    this.#signal = signal;
  }

  /** The call's headers, with who calls. */
  async headers(given: HeadersInit | undefined): Promise<Headers> {
    const { apiKey, tenant } = this.#caller;
    const headers = new Headers(given);
    this.#credential = typeof apiKey === "function" ? await apiKey() : (apiKey ?? "");
    if (this.#credential !== "") headers.set("Authorization", `Bearer ${this.#credential}`);
    if (tenant !== undefined) headers.set("X-Valinor-Tenant", tenant);
    return headers;
  }

  /** What the call rejects with. */
  failure(error: unknown): unknown {
    if (this.#signal?.aborted === true) return this.#signal.reason;
    const typed = toValinorError(error);
    if (typed.reason === "UNAUTHENTICATED") this.#caller.onRefused?.(this.#credential);
    return typed;
  }

  async *rethrow<T>(messages: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* messages;
    } catch (error) {
      throw this.failure(error);
    }
  }
}

/**
 * The messages of one streaming call. It is aborted when the reader leaves, when the signal aborts (which rejects with its
 * reason), and when the server says nothing for `silenceMs()` milliseconds (CONNECTION_LOST): servers send something every 15 s,
 * and a connection that died without a word is noticed by nothing else.
 */
export async function* readCall<T>(
  open: (signal: AbortSignal) => AsyncIterable<T>,
  silenceMs: () => number,
  signal: AbortSignal,
): AsyncGenerator<T> {
  signal.throwIfAborted();
  const call = new AbortController();
  const onAbort = (): void => call.abort(signal.reason);
  const watch = (): ReturnType<typeof setTimeout> =>
    setTimeout(() => call.abort(connectionLost("the server has gone silent")), silenceMs());
  signal.addEventListener("abort", onAbort);
  let timer = watch();
  try {
    for await (const message of open(call.signal)) {
      clearTimeout(timer);
      yield message;
      timer = watch();
    }
  } catch (error) {
    throw call.signal.aborted ? call.signal.reason : error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
    call.abort();
  }
}
