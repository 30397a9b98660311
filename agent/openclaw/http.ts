import type { Agent, ClientRequest, IncomingHttpHeaders, IncomingMessage, RequestOptions } from "node:http";
import type { Socket } from "node:net";
import type { Readable } from "node:stream";
import type { Bounds } from "../bounds.ts";

/** An HTTP answer whose body has not been read. */
export interface HttpAnswer {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
}

/** What is sent to a path. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  /** A body is sent as UTF-8. */
  readonly body?: string;
}

/** A client of one server. */
export interface Http {
  /**
   * Sends a request to a path of the server, as `pathsOf` tells it. Rejects if there is no answer, with the system's code where it has
   * one. The signal drops the request, and the answer's body after it.
   */
  send(path: string, request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  /** Drops what is under way. */
  close(): void;
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

/** A connection that is not used for this long is closed: a server that closes it first may do so just when it is used again. */
const IDLE_MS = 4_000;

/** Makes a client; `closing` drops what is under way. Node's HTTP is loaded with the first request, not when the agent starts. */
export function createHttp(url: string, bounds: Pick<Bounds, "connectMs">, closing: AbortSignal): Http {
  return new NodeHttp(new URL(url), bounds.connectMs, closing);
}

/** No time limit of its own but the one on connecting: the run's clock bounds the rest. */
class NodeHttp implements Http {
  readonly #url: URL;
  readonly #connectMs: number;
  readonly #closing: AbortSignal;
  #agent: Agent | undefined;

  constructor(url: URL, connectMs: number, closing: AbortSignal) {
    this.#url = url;
    this.#connectMs = connectMs;
    this.#closing = closing;
  }

  send(path: string, { method, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    return new Promise((resolve, reject) => {
      const either = AbortSignal.any([signal, this.#closing]);
      const call = this.#request({ path, method, headers, signal: either });
      call.on("error", reject); // after the answer it is the body's error too, and told there
      call.once("socket", (socket) => this.#boundConnecting(socket));
      call.once("response", (answer) => resolve(answerOf(answer)));
      call.end(body);
    });
  }

  close(): void {
    this.#agent?.destroy();
  }

  #request(options: RequestOptions): ClientRequest {
    const { protocol, hostname, port } = this.#url;
    const { Agent, request } = process.getBuiltinModule(protocol === "https:" ? "node:https" : "node:http");
    this.#agent ??= new Agent({ keepAlive: true, timeout: IDLE_MS });
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    return request({ protocol, hostname: host, port: port || undefined, agent: this.#agent, ...options });
  }

  /** A connection that is kept is connected already. */
  #boundConnecting(socket: Socket): void {
    if (!socket.connecting) return;
    const late = () => socket.destroy(Object.assign(new Error("connecting takes too long"), TIMED_OUT));
    const timer = setTimeout(late, this.#connectMs);
    const done = () => clearTimeout(timer);
    socket.once(this.#url.protocol === "https:" ? "secureConnect" : "connect", done).once("close", done);
  }
}

const TIMED_OUT = { code: "ETIMEDOUT" } as const;

function answerOf(answer: IncomingMessage): HttpAnswer {
  answer.on("error", () => {}); // told by the reading of it; an abort after that is no news to anybody
  return { statusCode: answer.statusCode ?? 0, headers: answer.headers, body: answer };
}
