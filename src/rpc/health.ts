import { setTimeout as delay } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import {
  type Health,
  HealthCheckResponse_ServingStatus as Status,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
} from "@valinor/proto/grpc/health/v1/health";
import { AgentProxy } from "@valinor/proto/valinor/v1/agent_proxy";
import { AgentRegistry } from "@valinor/proto/valinor/v1/agent_registry";
import { toValinorError } from "../core/errors.ts";
import { notBegun } from "../core/lifecycle.ts";
import { createShares, type Holder } from "../core/access/shares.ts";
import type { AgentStatusView } from "../core/types.ts";
import { peerKey } from "./peer.ts";
import { failure, identifyCaller, type RpcServices } from "./unary.ts";
import { monotonicNow } from "@valinor/protocol";

/** How often a watch looks. */
const POLL_MS = 500;
/** Longest watch; clients open another one. */
const WATCH_MS = 24 * 60 * 60_000;
/** Watches at once: they need no credential, and each costs a look twice a second. */
export const watchShares = { all: 500, strangers: 300, peer: 100, connection: 25, credential: 200 };

/** What tells whether the server takes requests. */
export interface HealthServices extends RpcServices {
  /** False once the server begins to leave. */
  readonly ready: () => boolean;
  /** Aborts when the server begins to drain. */
  readonly stopping: AbortSignal;
}

/** Services of the server itself; the empty name means the whole server. */
const own = ["", AgentProxy.typeName, AgentRegistry.typeName];

/**
 * grpc.health.v1 (https://github.com/grpc/grpc/blob/master/doc/health-checking.md). The server's own services need no credential, so
 * that an orchestrator's probe works; `agents/ID` is the health of an agent of the caller's tenant: SERVING while it would be handed a
 * message now.
 */
export function health(services: HealthServices): ServiceImpl<typeof Health> {
  const { core, ready, stopping } = services;
  const shares = createShares("health watches", watchShares);

  async function statusOf(service: string, context: HandlerContext): Promise<Status> {
    if (own.includes(service)) return ready() ? Status.SERVING : Status.NOT_SERVING;
    if (!service.startsWith("agents/")) return Status.SERVICE_UNKNOWN;
    try {
      const caller = await identifyCaller(services, context);
      const view = await core.status(caller, service.slice("agents/".length));
      return ready() && serves(view) ? Status.SERVING : Status.NOT_SERVING;
    } catch (error) {
      if (toValinorError(error).reason === "AGENT_NOT_FOUND") return Status.SERVICE_UNKNOWN;
      throw failure(services, error, context.signal);
    }
  }

  /** Each status that differs from the one before, until the client leaves or the server drains. */
  async function* changes(service: string, context: HandlerContext) {
    const end = monotonicNow() + WATCH_MS;
    let last: Status | undefined;
    while (!context.signal.aborted && monotonicNow() < end) {
      const stops = stopping.aborted;
      const status = await statusOf(service, context);
      if (status !== last) yield create(HealthCheckResponseSchema, { status });
      last = status;
      if (stops) return;
      // An abort ends the pause early, and then the loop.
      await delay(POLL_MS, undefined, { signal: context.signal }).catch(() => {});
    }
  }

  return {
    async check({ service }, context) {
      const status = await statusOf(service, context);
      if (status !== Status.SERVICE_UNKNOWN) return create(HealthCheckResponseSchema, { status });
      throw new ConnectError(`there is no service ${JSON.stringify(service.slice(0, 128))}`, Code.NotFound);
    },

    async *watch({ service }, context) {
      const holder = await holderOf(services, context);
      let giveBack;
      try {
        giveBack = shares.take(holder);
        yield* changes(service, context);
      } catch (error) {
        throw failure(services, error, context.signal);
      } finally {
        giveBack?.();
      }
      // One that went on would keep the server from stopping.
      if (stopping.aborted) throw failure(services, notBegun(), context.signal);
    },

    async list(_request, context) {
      const statuses: Record<string, { status: Status }> = {};
      for (const service of own) statuses[service] = { status: await statusOf(service, context) };
      return create(HealthListResponseSchema, { statuses });
    },
  };
}

/** Who calls: a caller whose credential is refused is a stranger, like one without a credential. */
async function holderOf(services: HealthServices, context: HandlerContext): Promise<Holder> {
  const peer = context.values.get(peerKey);
  if (!context.requestHeader.has("authorization")) return peer;
  try {
    const { tenant, credential, subject } = await identifyCaller(services, context);
    return { ...peer, credential: `${tenant} ${credential} ${subject}` };
  } catch {
    return peer; // what needs a credential asks for it again, and then says what is wrong
  }
}

function serves(view: AgentStatusView): boolean {
  const { agent, connected, guestStatus, openclaw, configState } = view;
  const configured = configState === "applied" || configState === "assumed";
  return (
    agent.status === "RUNNING" && connected && configured && guestStatus !== "draining" && openclaw !== "down"
  );
}
