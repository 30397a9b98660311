import { Agent, request } from "node:http";
import { gzipSync } from "node:zlib";
import type { DescMethod } from "@bufbuild/protobuf";
import { Health } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { makeApiKey } from "../../src/auth/api-key.ts";
import type { Attack, AttackContext } from "./attack.ts";

const methods: readonly DescMethod[] = [
  AgentProxy,
  AgentRegistry,
  Health,
  ServerReflection,
  ServerReflectionV1Alpha,
].flatMap((service) => service.methods);

/** A body that costs more than it is long. */
interface Bomb {
  readonly bytes: Buffer;
  readonly isZipped: boolean;
}

const MIB = 1024 * 1024;
const zipped = (text: string | Buffer): Bomb => ({ bytes: gzipSync(text), isZipped: true });
const plain = (text: string): Bomb => ({ bytes: Buffer.from(text), isZipped: false });

/** JSON that nests, JSON of many values, and nothing at all, as they are and zipped. */
const bombs: readonly Bomb[] = [
  zipped(`{"x":${"[".repeat(2_000_000)}`),
  zipped(`{"config":${'{"a":'.repeat(500_000)}`),
  zipped(Buffer.alloc(100 * MIB, " ")),
  zipped(`{"x":[${"{},".repeat(1_000_000)}{}]}`),
  plain(`{"x":${"[".repeat(MIB)}`),
  plain(`{"x":[${"{},".repeat(MIB / 4)}{}]}`),
  plain(`{"x":"${"\\u0000".repeat(MIB / 8)}"}`),
];

/** The types in which a method takes a body. */
const types = [
  "application/json",
  "application/connect+json",
  "application/grpc+json",
  "application/grpc-web+json",
];

/** Sends every bomb to every method, in every type that it may come as, one after the other. */
async function bombAll(
  { port, peers, signal, report }: AttackContext,
  key: string | undefined,
): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: peers });
  const work = methods.flatMap((method) =>
    bombs.flatMap((bomb) => types.map((type) => ({ method, bomb, type }))),
  );
  let at = 0;
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const { method, bomb, type } = work[at++ % work.length] as (typeof work)[number];
      report.count(await post(port, agent, method, bomb, type, key, signal));
    }
  };
  await Promise.all(Array.from({ length: peers }, run));
  agent.destroy();
}

/** What became of one: its status, or that the connection was closed. */
function post(
  port: number,
  agent: Agent,
  method: DescMethod,
  { bytes, isZipped }: Bomb,
  type: string,
  key: string | undefined,
  signal: AbortSignal,
): Promise<string> {
  const isUnary = type === "application/json";
  const encoding = isUnary
    ? "content-encoding"
    : type.startsWith("application/connect")
      ? "connect-content-encoding"
      : "grpc-encoding";
  const envelope = Buffer.alloc(isUnary ? 0 : 5);
  if (!isUnary) {
    envelope.writeUInt8(isZipped ? 1 : 0, 0);
    envelope.writeUInt32BE(bytes.length, 1);
  }
  return new Promise((resolve) => {
    const req = request({
      port,
      agent,
      path: `/${method.parent.typeName}/${method.name}`,
      method: "POST",
      headers: {
        "content-type": type,
        ...(isZipped && { [encoding]: "gzip" }),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      signal,
    });
    req.on("error", () => resolve("closed"));
    req.on("response", (res) => {
      res.on("error", () => {}).resume();
      res.once("close", () => resolve(`status ${res.statusCode}`));
    });
    req.end(Buffer.concat([envelope, bytes]));
  });
}

const withRole =
  (role: string): Attack =>
  (context) =>
    bombAll(context, context.keys[role]);

export const stranger: Attack = (context) => bombAll(context, undefined);
export const madeUpKey: Attack = (context) => bombAll(context, makeApiKey().text);
export const viewer = withRole("viewer");
export const operator = withRole("operator");
export const admin = withRole("admin");
export const platform = withRole("platform");
