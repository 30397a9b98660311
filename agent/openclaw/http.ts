import type { Dispatcher, Pool } from "undici";
import type { Bounds } from "../bounds.ts";

/** An HTTP answer whose body has not been read. */
export type HttpAnswer = Dispatcher.ResponseData;

/** A client of one server. */
export interface Http {
  /** Sends a request to a path of the server, as `pathsOf` tells it. */
  send(
    path: string,
    request: Omit<Dispatcher.RequestOptions, "path" | "signal">,
    signal: AbortSignal,
  ): Promise<HttpAnswer>;
  /** Drops what is under way. */
  close(): Promise<void>;
}

/** Where a server's interfaces are. */
export interface ServerPaths {
  readonly readyz: string;
  readonly completions: string;
  /** The gateway's WebSocket, as a URL. */
  readonly gateway: string;
}

/**
 * Finds a server's paths from its URL as people write it: its root, the base that OpenAI's SDKs take (`.../v1`), or all of
 * `.../chat/completions`.
 */
export function pathsOf(url: string): ServerPaths {
  const { origin, pathname } = new URL(url);
  const path = pathname.replace(/\/+$/, "");
  const base = path.replace(/\/chat\/completions$/, "");
  const root = base.replace(/\/v\d+$/, "");
  return {
    readyz: `${root}/readyz`,
    completions: base === path && base === root ? `${base}/v1/chat/completions` : `${base}/chat/completions`,
    gateway: `${origin.replace(/^http/, "ws")}${root === "" ? "/" : root}`,
  };
}

/** Makes a client; `closing` drops what is under way. The library is loaded with the first request, not when the agent starts. */
export function createHttp(url: string, bounds: Pick<Bounds, "connectMs">, closing: AbortSignal): Http {
  const { origin } = new URL(url);
  let pool: Promise<Pool> | undefined;

  /** No time limit of the pool's own but the one on connecting: the run's clock bounds the rest. */
  async function openPool(): Promise<Pool> {
    const { Pool } = await import("undici");
    return new Pool(origin, {
      bodyTimeout: 0,
      headersTimeout: 0,
      connect: { timeout: bounds.connectMs },
    });
  }

  return {
    async send(path, request, signal) {
      const opened = await (pool ??= openPool());
      return opened.request({ ...request, path, signal: AbortSignal.any([signal, closing]) });
    },
    async close() {
      // A pool that could not be opened needs no closing; whoever asked for it was told.
      const opened = await pool?.catch(() => undefined);
      await opened?.destroy();
    },
  };
}
