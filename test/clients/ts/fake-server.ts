import { create } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport, type ServiceImpl } from "@connectrpc/connect";
import {
  type ClientOptions,
  createValinorClient,
  type ValinorClient,
} from "../../../clients/ts/src/index.ts";
import { ErrorInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { AgentProxy } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";

/** Options of a client that say who calls. */
export type Caller = Omit<ClientOptions, "baseUrl" | "transport">;

/** A client of a server that answers as it is told. */
export function clientOf(
  service: Partial<ServiceImpl<typeof AgentProxy>>,
  caller: Caller = {},
): ValinorClient {
  const transport = createRouterTransport(({ service: add }) => add(AgentProxy, service));
  return createValinorClient({ transport, ...caller });
}

/** An error of a server, with its reason. */
export function failure(reason: string, code: Code, metadata: Record<string, string> = {}): ConnectError {
  const value = create(ErrorInfoSchema, { reason, domain: "valinor.dev", metadata });
  return new ConnectError(reason, code, undefined, [{ desc: ErrorInfoSchema, value }]);
}

/** A connection that broke. */
export const cut = (): ConnectError => new ConnectError("cut", Code.Unavailable);

/** The first event of a run that can be resumed. */
export const opened = {
  event: { case: "opened" as const, value: { requestId: "r", resumable: true, life: "l" } },
};

/** The end of a run without a text. */
export const done = { sequence: 1, event: { case: "done" as const, value: { finishReason: "stop" } } };
