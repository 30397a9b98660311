import { type UnknownObject, isObject } from "@valinor/protocol";
import type { Bounds } from "../../bounds.ts";
import { VERSION } from "../../version.ts";

/** Version of the gateway's protocol that is spoken; operators are let in with exactly that. */
const GATEWAY_PROTOCOL = 4;
/** Calls that wait for their answer at once. */
const CALLS = 16;

/**
 * A call of the gateway that failed. `code` is OpenClaw's own, or `unreachable`, `timeout`, `closed`, `busy` or
 * `invalid` if it gave no answer that can be used.
 */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: string;
  /** True if the same call may succeed later. */
  readonly retryable: boolean;
  /** How long OpenClaw asks to wait before that; undefined if it does not say. */
  readonly retryAfterMs: number | undefined;

  constructor(code: string, message: string, retryable: boolean, retryAfterMs?: number) {
    super(message);
    this.code = code;
    this.retryable = retryable;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Bounds of a connection to the gateway. */
export type GatewayBounds = Pick<Bounds, "connectMs" | "gatewayMs" | "gatewayMessageBytes">;

/** Where the gateway is and who asks. */
export interface GatewayTarget {
  /** ws or wss. */
  readonly url: string;
  readonly token: string | undefined;
  readonly bounds: GatewayBounds;
  /** Takes the payload of each `agent` event of stream `item`; OpenClaw sends many others, which are not even parsed. */
  onItem(payload: UnknownObject): void;
}

/** One connection on which the gateway has let the agent in. */
export interface GatewayLink {
  /** Calls a method; resolves with its payload. Rejects with GatewayError, after `gatewayMs` at the latest. */
  call(method: string, params: object): Promise<UnknownObject>;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  close(): void;
}

/** Connects and is let in, within `gatewayMs`. Rejects with GatewayError; then nothing is left open. */
export async function openGatewayLink(target: GatewayTarget): Promise<GatewayLink> {
  const { bounds } = target;
  const { WebSocket } = await import("ws");
  const socket = new WebSocket(target.url, {
    maxPayload: bounds.gatewayMessageBytes,
    handshakeTimeout: bounds.connectMs,
    perMessageDeflate: false, // both ends are in one machine
  });
  const calls = createCalls(bounds, (text) => socket.send(text));
  const closed = Promise.withResolvers<void>();
  const challenged = Promise.withResolvers<void>();
  let open = true;

  function end(error: GatewayError): void {
    if (!open) return;
    open = false;
    challenged.reject(error);
    calls.fail(error);
    socket.terminate(); // the closing handshake is worth no wait: the gateway takes a lost connection for a closed one
    closed.resolve();
  }

  socket.on("error", () => end(unreachable()));
  socket.on("close", () => end(new GatewayError("closed", "the gateway closed", true)));
  socket.on("message", (data: Buffer, isBinary) => {
    if (!open || isBinary) return;
    // Text inside of strings has its quotes escaped, so that only keys and values of the frame itself are found.
    if (data.includes('"type":"res"')) return calls.answer(parse(data));
    if (data.includes('"stream":"item"')) return tellItem(parse(data), target);
    if (data.includes('"connect.challenge"')) challenged.resolve();
  });

  const timer = setTimeout(() => end(timeout("the gateway let nobody in")), bounds.gatewayMs);
  try {
    await challenged.promise;
    await calls.make("connect", connectParams(target.token));
  } catch (error) {
    end(unreachable());
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return {
    call: (method, params) =>
      open ? calls.make(method, params) : Promise.reject(new GatewayError("closed", "it is closed", true)),
    closed: closed.promise,
    close: () => end(new GatewayError("closed", "the agent closed it", true)),
  };
}

interface Calls {
  make(method: string, params: object): Promise<UnknownObject>;
  answer(frame: UnknownObject): void;
  fail(error: GatewayError): void;
}

/** The calls of one connection: each is answered, fails with the connection, or runs out of time. */
function createCalls(bounds: GatewayBounds, send: (text: string) => void): Calls {
  const waiting = new Map<string, { settle: (answer: UnknownObject | GatewayError) => void }>();
  let count = 0;
  return {
    make(method, params) {
      if (waiting.size >= CALLS)
        return Promise.reject(new GatewayError("busy", "too many calls wait for the gateway", true));
      const id = String(++count);
      return new Promise((resolve, reject) => {
        const settle = (answer: UnknownObject | GatewayError) => {
          clearTimeout(timer);
          waiting.delete(id);
          if (answer instanceof GatewayError) reject(answer);
          else resolve(answer);
        };
        const timer = setTimeout(() => settle(timeout(`${method} got no answer`)), bounds.gatewayMs);
        waiting.set(id, { settle });
        send(JSON.stringify({ type: "req", id, method, params }));
      });
    },
    answer(frame) {
      const call = waiting.get(String(frame["id"]));
      if (call === undefined) return; // came after its time
      const payload = frame["payload"];
      if (frame["ok"] !== true) call.settle(refusal(frame["error"]));
      else call.settle(isObject(payload) ? payload : {});
    },
    fail(error) {
      for (const { settle } of waiting.values()) settle(error);
    },
  };
}

/** The one kind of client that the gateway lets in on loopback with the token alone, without pairing a device. */
function connectParams(token: string | undefined): object {
  return {
    minProtocol: GATEWAY_PROTOCOL,
    maxProtocol: GATEWAY_PROTOCOL,
    client: { id: "gateway-client", version: VERSION, platform: process.platform, mode: "backend" },
    role: "operator",
    scopes: ["operator.admin", "operator.read"],
    caps: ["tool-events"],
    ...(token !== undefined && { auth: { token } }),
  };
}

function tellItem(frame: UnknownObject, target: GatewayTarget): void {
  if (frame["event"] === "agent" && isObject(frame["payload"])) target.onItem(frame["payload"]);
}

function parse(text: Buffer): UnknownObject {
  try {
    const value = JSON.parse(text.toString()) as unknown;
    return isObject(value) ? value : {};
  } catch {
    return {}; // belongs to no call: the one it should have answered runs out of time
  }
}

function refusal(error: unknown): GatewayError {
  const told = isObject(error) ? error : {};
  const { code, message, retryable, retryAfterMs } = told;
  const name = typeof code === "string" ? code : "invalid";
  return new GatewayError(
    name,
    typeof message === "string" ? message : "no reason given",
    retryable === true || name === "UNAVAILABLE",
    typeof retryAfterMs === "number" && retryAfterMs > 0 ? retryAfterMs : undefined,
  );
}

const unreachable = () => new GatewayError("unreachable", "the gateway cannot be reached", true);
const timeout = (message: string) => new GatewayError("timeout", message, true);
