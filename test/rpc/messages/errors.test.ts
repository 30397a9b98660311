import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { beforeAll, describe, expect, it } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../../gen/ts/google/rpc/error_details_pb.ts";
import { AgentProxy } from "../../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { localCaller } from "../../../src/core/access/authorize.ts";
import { errorRow, reasons, ValinorError } from "../../../src/core/errors.ts";
import type { Core } from "../../../src/core/types.ts";
import { toConnectError } from "../../../src/rpc/messages/errors.ts";
import { createRpcHandler } from "../../../src/rpc/routes.ts";
import { afterFile } from "../../helpers/cleanup.ts";
import { failureOf, rpcFailureOf } from "../../helpers/failures.ts";

/** A core whose `send` and `watchAgents` do what the test says; the rest is not asked for. */
let send: Core["send"];
let watchAgents: Core["watchAgents"];
const internal: unknown[] = [];
let proxy: Client<typeof AgentProxy>;
let registry: Client<typeof AgentRegistry>;

beforeAll(async () => {
  const core = {
    admit: (caller) => caller,
    send: (...args: Parameters<Core["send"]>) => send(...args),
    watchAgents: (...args: Parameters<Core["watchAgents"]>) => watchAgents(...args),
  } as Partial<Core> as Core;
  const handler = createRpcHandler({
    core,
    identify: () => localCaller,
    ready: () => true,
    stopping: new AbortController().signal,
    onInternalError: (error) => internal.push(error),
    fallback: (_, response) => void response.writeHead(404),
  });
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  afterFile(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const transport = createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1" });
  proxy = createClient(AgentProxy, transport);
  registry = createClient(AgentRegistry, transport);
});

const request = { agentId: "demo", message: { content: "hello" } };

describe("an error of the table", () => {
  it.each(reasons)(
    "%s has its code, its ErrorInfo, and a RetryInfo exactly if a retry can help",
    (reason) => {
      const error = toConnectError(
        new ValinorError(reason, "why", { metadata: { a: "b" } }),
        new AbortController().signal,
      );
      expect(Code[error.code].replaceAll(/(?<!^)[A-Z]/g, "_$&").toLowerCase()).toBe(errorRow(reason).code);
      expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
        { reason, domain: "valinor.dev", metadata: { a: "b" } },
      ]);
      const retries = errorRow(reason).retryMs === undefined ? 0 : 1;
      expect(error.findDetails(RetryInfoSchema)).toHaveLength(retries);
    },
  );
});

describe("an error that nobody foresaw", () => {
  it("is told to the operator, and to the client only that there was one", async () => {
    const secret = new Error("password=hunter2");
    send = () => Promise.reject(secret);
    const error = ConnectError.from(await failureOf(proxy.sendMessage(request)));
    expect(error).toMatchObject({ code: Code.Internal, rawMessage: "internal error" });
    expect(internal).toContain(secret);
  });
});

describe("a client that leaves a watch", () => {
  it("is not told to the operator as an error of the server", async () => {
    const before = internal.length;
    const left = Promise.withResolvers<void>();
    watchAgents = async function* (_caller, signal) {
      yield { kind: "snapshot_complete" };
      if (!signal.aborted) await once(signal, "abort");
      left.resolve();
    };
    const leaving = new AbortController();
    const watching = (async () => {
      for await (const _ of registry.watchAgents({}, { signal: leaving.signal })) leaving.abort();
    })();
    expect((await rpcFailureOf(watching)).code).toBe(Code.Canceled);
    await left.promise;
    await nextTurn();
    expect(internal).toHaveLength(before);
  });
});
