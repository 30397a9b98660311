import type { Dispatcher, Pool } from "undici";
import type { Bounds } from "../bounds.ts";

/** An HTTP answer whose body has not been read. */
export type HttpAnswer = Dispatcher.ResponseData;

/** A client of one server. */
export interface Http {
  /** Sends a request to a path below the server's own. */
  send(
    path: string,
    request: Omit<Dispatcher.RequestOptions, "path" | "signal">,
    signal: AbortSignal,
  ): Promise<HttpAnswer>;
  /** Drops what is under way. */
  close(): Promise<void>;
}

/** Makes a client; `closing` drops what is under way. The library is loaded with the first request, not when the agent starts. */
export function createHttp(at: string, bounds: Pick<Bounds, "connectMs">, closing: AbortSignal): Http {
  const url = new URL(at);
  const base = url.pathname.replace(/\/+$/, "");
  let pool: Promise<Pool> | undefined;

  /** No time limit of the pool's own but the one on connecting: the run's clock bounds the rest. */
  async function openPool(): Promise<Pool> {
    const { Pool } = await import("undici");
    return new Pool(url.origin, {
      bodyTimeout: 0,
      headersTimeout: 0,
      connect: { timeout: bounds.connectMs },
    });
  }

  return {
    async send(path, request, signal) {
      const opened = await (pool ??= openPool());
      return opened.request({ ...request, path: base + path, signal: AbortSignal.any([signal, closing]) });
    },
    async close() {
      const opened = await pool?.catch(() => undefined);
      await opened?.destroy();
    },
  };
}
