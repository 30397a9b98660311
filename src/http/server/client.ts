import type { ServerResponse } from "node:http";
import type { Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import { ClientDeparture } from "../../core/departure.ts";
import { ValinorError } from "../../core/errors.ts";
import { PIECE, SHORT, untilDrained } from "../../core/stream-body.ts";
import type { Departure } from "../../core/types.ts";

/** The client's end of a request, while it is being answered. */
export interface Client extends Departure {
  /** Aborts with CLIENT_GONE when the client leaves before its answer is complete. */
  readonly signal: AbortSignal;
}

/** Watches a response for a client that leaves. */
export function watchClient(res: ServerResponse): Client {
  const client = new ClientDeparture();
  res.once("close", () => {
    if (!res.writableEnded) client.gone(clientLeft());
  });
  // A response that fails closes as well; without a listener the error would end the process.
  res.on("error", ignore);
  return client;
}

function clientLeft(): ValinorError {
  return new ValinorError("CLIENT_GONE", "the client left before the answer was complete");
}

function ignore(): void {}

/** A response, or a stream of HTTP/2. */
export type Droppable = Pick<ServerResponse, "destroy"> | Pick<ServerHttp2Stream, "destroy">;

/** Ends the connection (HTTP/2: the stream) of a client that takes nothing. */
export function dropClient(res: Droppable): void {
  const { stream } = res as unknown as Partial<Http2ServerResponse>;
  if (stream === undefined) res.destroy();
  else stream.destroy();
}

/**
 * Writes text and waits until the client has taken so much of it that more may follow. False: the client has left, or has
 * taken nothing for `stallMs` and was dropped.
 */
export async function writeText(
  { res, client, stallMs }: { res: ServerResponse; client: Client; stallMs: number },
  text: string,
): Promise<boolean> {
  const drain = () => !client.aborted && untilDrained(res, { ms: stallMs, drop: () => dropClient(res) });
  if (text.length <= SHORT) return res.write(text) || drain();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += PIECE) {
    if (!res.write(bytes.subarray(at, at + PIECE)) && !(await drain())) return false;
  }
  return true;
}
