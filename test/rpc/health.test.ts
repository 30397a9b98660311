import { createClient, type Transport } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { pino } from "pino";
import { describe, expect, it } from "vitest";
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { loadConfig } from "../../src/config.ts";
import { watchShares } from "../../src/rpc/health.ts";
import { startServer, type ValinorServer } from "../../src/server.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { until } from "../helpers/until.ts";

/** A server that would let streams end for a minute. */
async function start(): Promise<{ server: ValinorServer; transport: Transport }> {
  const flags = { server: { port: 0 }, store: { url: "sqlite::memory:" } };
  const config = loadConfig({ env: {}, flags, mode: "dev" });
  const server = await startServer(
    { ...config, server: { ...config.server, drainMs: 60_000 } },
    { logger: pino({ level: "silent" }) },
  );
  afterFile(() => server.close());
  return { server, transport: createGrpcTransport({ baseUrl: server.url }) };
}

/** Collects what a stream says, its error last. */
function collect<T, R>(stream: AsyncIterable<T>, shown: (message: T) => R): (R | string)[] {
  const got: (R | string)[] = [];
  void (async () => {
    try {
      for await (const message of stream) got.push(shown(message));
      got.push("end");
    } catch (error) {
      got.push(String(error));
    }
  })();
  return got;
}

describe("a server that stops", () => {
  it("tells watchers of its health so, and waits for none of them", async () => {
    const { server, transport } = await start();
    const got = collect(createClient(Health, transport).watch({ service: "" }), ({ status }) => status);
    await until("the watch has begun", () => got.length === 1);
    await server.close();
    await until("the watch has ended", () => got.length === 3);
    expect(got).toEqual([Status.SERVING, Status.NOT_SERVING, expect.stringContaining("[unavailable]")]);
  });

  it("waits for no stream of reflection that asks nothing more", async () => {
    const { server, transport } = await start();
    async function* requests() {
      yield { messageRequest: { case: "listServices" as const, value: "" } };
      await new Promise(() => {});
    }
    const answers = createClient(ServerReflection, transport).serverReflectionInfo(requests());
    const got = collect(answers, (answer) => answer.messageResponse.case);
    await until("it was answered", () => got.length === 1);
    await server.close();
    await until("the stream has ended", () => got.length === 2);
    expect(got[1]).toContain("[unavailable]");
  });
});

const watch = (transport: Transport, signal: AbortSignal, headers: Record<string, string> = {}) =>
  collect(
    createClient(Health, transport).watch({ service: "" }, { signal, headers }),
    ({ status }) => status,
  );

it("one address can't take all watches of health: callers who are known get theirs, and one that leaves makes room", async () => {
  const { server } = await start();
  const stop = new AbortController();
  const { peer, connection } = watchShares;
  const connections = Array.from({ length: peer / connection + 1 }, () =>
    createGrpcTransport({ baseUrl: server.url }),
  );
  const all = Array.from({ length: peer }, (_, index) =>
    watch(connections[Math.floor(index / connection)] as Transport, stop.signal),
  );
  await until("all have begun", () => all.every((got) => got.length === 1));
  expect(all.every(([first]) => first === Status.SERVING)).toBe(true);
  const last = connections.at(-1) as Transport;
  const refused = watch(last, AbortSignal.timeout(60_000));
  await until("one too many is refused", () => refused.length > 0);
  expect(refused).toEqual([expect.stringContaining("[resource_exhausted] this address may hold 100")]);
  const known = watch(last, stop.signal, { authorization: "Bearer of a server that asks for none" });
  await until("one who is known is not", () => known.length > 0);
  expect(known).toEqual([Status.SERVING]);
  const { status } = await createClient(Health, last).check({ service: "" });
  expect(status).toBe(Status.SERVING);
  stop.abort();
  await until("there is room again", async () => {
    const end = new AbortController();
    const got = watch(last, end.signal);
    await until("it is answered", () => got.length > 0);
    end.abort();
    return got[0] === Status.SERVING;
  });
});

it("one connection has a share of its own", async () => {
  const { transport } = await start();
  const stop = new AbortController();
  const all = Array.from({ length: watchShares.connection + 1 }, () => watch(transport, stop.signal));
  await until("all are answered", () => all.every((got) => got.length > 0));
  expect(all.filter(([first]) => first === Status.SERVING)).toHaveLength(watchShares.connection);
  expect(all.flat()).toContainEqual(expect.stringContaining("this connection may hold 25"));
  stop.abort();
});
