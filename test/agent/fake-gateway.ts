import type { Server } from "node:http";
import { acceptSockets, type FakeSocket } from "./fake-websocket.ts";
import { Inbox } from "./inbox.ts";

type Json = Record<string, unknown>;

/** A request that the gateway got. */
export interface GatewayCall {
  readonly method: string;
  readonly params: Json;
}

/** Error that an answer holds instead of a payload. */
export class GatewayRefusal extends Error {
  readonly error: Json;
  constructor(error: Json) {
    super("refusal");
    this.error = error;
  }
}

/** Answers a call: with a payload, a GatewayRefusal that is thrown, or never. */
type Answer = (params: Json) => Json | "silence";

/** A stand-in for OpenClaw's gateway: it keeps a configuration, and does what a test says. It is not OpenClaw. */
export interface FakeGateway {
  /** `tools` and `agents` of its configuration. */
  config: { tools: Json; agents: Json };
  /** True while what was written is not in force yet. */
  lagging: boolean;
  models: Json[];
  tools: string[];
  /** Calls so far, `connect` included. */
  readonly calls: GatewayCall[];
  /** The same, to wait for. */
  readonly inbox: Inbox<GatewayCall>;
  /** Connections that are open. */
  readonly open: number;
  /** Answers a method otherwise than usual. */
  answer(method: string, answer: Answer): void;
  /** Somebody else writes the configuration. */
  touch(): void;
  /** Sends an event to every connection that was let in. */
  tell(event: string, payload: Json): void;
  /** Ends all connections. */
  drop(): void;
  /** Calls of one method. */
  count(method: string): number;
}

/** Puts a gateway on a server. */
export function attachGateway(server: Server): FakeGateway {
  const inside = new Set<FakeSocket>();
  const sockets = new Set<FakeSocket>();
  const answers = new Map<string, Answer>();
  let revision = 1;

  const usual: Record<string, Answer> = {
    connect: () => ({ type: "hello-ok", protocol: 4 }),
    "config.get": () => ({
      config: gateway.config,
      valid: true,
      hash: `h${revision}`,
      configRevisionHash: `r${revision}`,
      appliedConfigHash: gateway.lagging ? "r0" : `r${revision}`,
    }),
    "models.list": () => ({ models: gateway.models }),
    "tools.catalog": () => ({ groups: [{ id: "g", tools: gateway.tools.map((id) => ({ id })) }] }),
    "config.patch": ({ raw, baseHash }) => {
      if (baseHash !== `h${revision}`) {
        throw new GatewayRefusal({ code: "INVALID_REQUEST", message: "config changed since last load" });
      }
      gateway.config = merge(gateway.config, JSON.parse(String(raw))) as FakeGateway["config"];
      revision++;
      return { ok: true };
    },
  };

  acceptSockets(server, (socket) => {
    sockets.add(socket);
    socket.send(
      JSON.stringify({ type: "event", event: "connect.challenge", payload: { nonce: "n", ts: 1 } }),
    );
    return {
      onText(text) {
        const { id, method, params } = JSON.parse(text) as { id: string; method: string; params: Json };
        gateway.calls.push({ method, params });
        gateway.inbox.put({ method, params });
        try {
          const answer = answers.get(method) ?? usual[method];
          if (answer === undefined) throw new GatewayRefusal({ code: "INVALID_REQUEST", message: "unknown" });
          const payload = answer(params);
          if (payload === "silence") return;
          socket.send(JSON.stringify({ type: "res", id, ok: true, payload }));
          if (method === "connect") inside.add(socket);
        } catch (error) {
          if (!(error instanceof GatewayRefusal)) throw error;
          socket.send(JSON.stringify({ type: "res", id, ok: false, error: error.error }));
        }
      },
      onClose() {
        sockets.delete(socket);
        inside.delete(socket);
      },
    };
  });

  const gateway: FakeGateway = {
    config: { tools: {}, agents: {} },
    lagging: false,
    models: [],
    tools: [],
    calls: [],
    inbox: new Inbox(),
    get open() {
      return sockets.size;
    },
    answer: (method, answer) => void answers.set(method, answer),
    touch: () => void revision++,
    tell(event, payload) {
      for (const socket of inside) socket.send(JSON.stringify({ type: "event", event, payload }));
    },
    drop() {
      for (const socket of sockets) socket.drop();
    },
    count: (wanted) => gateway.calls.filter(({ method }) => method === wanted).length,
  };
  return gateway;
}

/** A JSON merge patch. */
function merge(base: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const merged: Json = typeof base === "object" && base !== null ? { ...base } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}
