import type { ServerResponse } from "node:http";
import type { Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import { ValinorError } from "../../core/errors.ts";

/** The client's end of a request, while it is being answered. */
export interface Client {
  /** Aborts with CLIENT_GONE when the client leaves before its answer is complete. */
  readonly signal: AbortSignal;
  /** Calls back at most once, when the client leaves before its answer is complete; at once if it has left. */
  onGone(call: () => void): void;
}

/** Watches a response for a client that leaves. */
export function watchClient(res: ServerResponse): Client {
  const controller = new AbortController();
  let call: (() => void) | undefined;
  let gone = false;
  const leave = () => {
    if (res.writableEnded) return;
    gone = true;
    controller.abort(new ValinorError("CLIENT_GONE", "the client left before the answer was complete"));
    call?.();
  };
  res.once("close", leave);
  // A response that fails closes as well; without a listener the error would end the process.
  res.on("error", () => {});
  return {
    signal: controller.signal,
    onGone: (handler) => {
      if (gone) handler();
      else call = handler;
    },
  };
}

/** A response, or a stream of HTTP/2. */
export type Droppable = Pick<ServerResponse, "destroy"> | Pick<ServerHttp2Stream, "destroy">;

/** Ends the connection (HTTP/2: the stream) of a client that takes nothing. */
export function dropClient(res: Droppable): void {
  const { stream } = res as unknown as Partial<Http2ServerResponse>;
  if (stream === undefined) res.destroy();
  else stream.destroy();
}

/** Largest piece handed to the socket at once, so that a slow client's progress is seen. */
const PIECE = 64 * 1024;

/**
 * Writes text and waits until the client has taken so much of it that more may follow. False: the client has left, or has
 * taken nothing for `stallMs` and was dropped.
 */
export async function writeText(
  { res, client, stallMs }: { res: ServerResponse; client: Client; stallMs: number },
  text: string,
): Promise<boolean> {
  const drain = () => !client.signal.aborted && drained(res, stallMs);
  if (text.length <= PIECE / 4) return res.write(text) || drain();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += PIECE) {
    if (!res.write(bytes.subarray(at, at + PIECE)) && !(await drain())) return false;
  }
  return true;
}

function drained(res: ServerResponse, stallMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (taken: boolean) => {
      clearTimeout(timer);
      res.off("drain", drain).off("close", close);
      resolve(taken);
    };
    const drain = () => settle(true);
    const close = () => settle(false);
    const timer = setTimeout(() => {
      settle(false);
      dropClient(res);
    }, stallMs);
    res.on("drain", drain).on("close", close);
  });
}
