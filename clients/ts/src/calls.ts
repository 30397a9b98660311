import type { Transport } from "@connectrpc/connect";
import { connectionLost, toValinorError } from "./errors.ts";

/** The same transport, with every error a ValinorError; a call that its signal aborted rejects with the signal's reason. */
export function typedErrors(transport: Transport): Transport {
  return {
    async unary(...call) {
      try {
        return await transport.unary(...call);
      } catch (error) {
        throw typed(error, call[1]);
      }
    },
    async stream(...call) {
      try {
        const response = await transport.stream(...call);
        return { ...response, message: rethrow(response.message, call[1]) };
      } catch (error) {
        throw typed(error, call[1]);
      }
    },
  };
}

async function* rethrow<T>(messages: AsyncIterable<T>, signal: AbortSignal | undefined): AsyncGenerator<T> {
  try {
    yield* messages;
  } catch (error) {
    throw typed(error, signal);
  }
}

function typed(error: unknown, signal: AbortSignal | undefined): unknown {
  return signal?.aborted === true ? signal.reason : toValinorError(error);
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
