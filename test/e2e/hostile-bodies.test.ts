import { brotliCompressSync, createGzip, gzipSync } from "node:zlib";
import type { DescMethod } from "@bufbuild/protobuf";
import { beforeAll, describe, expect, it } from "vitest";
import { Health } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/ts/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/ts/grpc/reflection/v1alpha/reflection_pb.ts";
import { AgentProxy } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { AgentRegistry } from "../../gen/ts/valinor/v1/agent_registry_pb.ts";
import { restRoutes } from "../../src/http/api.ts";
import { boundsOf } from "../../src/rpc/messages/message-bounds.ts";
import { type Role, routeRows, rpcRows } from "./access-rows.ts";
import { type AccessWorld, OWN, type Protocol, startAccessWorld } from "./access-world.ts";
import { rawCall } from "./raw-call.ts";

const MIB = 1024 * 1024;
/** Most that the process may grow by in a test, KiB; one such body made it grow by 366 MiB. */
const GROWTH = 150 * 1024;
const guarded: DescMethod[] = [...AgentProxy.methods, ...AgentRegistry.methods];
const open: DescMethod[] = [
  ...Health.methods,
  ...ServerReflection.methods,
  ...ServerReflectionV1Alpha.methods,
];
const protocols: Protocol[] = ["Connect", "gRPC", "gRPC-Web"];
const callers = [undefined, "viewer", "operator", "admin"] as const;
const nameOf = (method: DescMethod) => `${method.parent.name}/${method.name}`;

/** Gzip of a text that is never there as a whole. */
async function gzipOf(piece: string, times: number, head = "", tail = ""): Promise<Buffer> {
  const gzip = createGzip({ level: 9 });
  const parts: Buffer[] = [];
  gzip.on("data", (part: Buffer) => parts.push(part));
  gzip.write(head);
  for (let time = 0; time < times; time++) gzip.write(piece);
  gzip.end(tail);
  await new Promise((resolve) => gzip.on("end", resolve));
  return Buffer.concat(parts);
}

/** A body that is small on the wire, and what it is. */
interface HostileBody {
  readonly name: string;
  readonly json: boolean;
  readonly encoding?: string;
  readonly message: Uint8Array;
}

let world: AccessWorld;
let bodies: HostileBody[];
const credentials = new Map<Role | undefined, string | undefined>([[undefined, undefined]]);

beforeAll(async () => {
  world = await startAccessWorld();
  for (const role of ["viewer", "operator", "admin"] as const)
    credentials.set(role, (await world.good(role)).key);
  const deep = await gzipOf("[".repeat(10_000), 200, '{"x":');
  const member = gzipSync(" ".repeat(MIB));
  bodies = [
    { name: "2,000,000 deep, gzipped", json: true, encoding: "gzip", message: deep },
    {
      name: "1,000,000 objects, gzipped",
      json: true,
      encoding: "gzip",
      message: await gzipOf("{},".repeat(10_000), 100, '{"x":[', "{}]}"),
    },
    {
      name: "400,000 keys, gzipped",
      json: true,
      encoding: "gzip",
      message: await gzipOf('"a":1,'.repeat(10_000), 40, "{", '"z":1}'),
    },
    {
      name: "8 MiB of spaces, gzipped",
      json: true,
      encoding: "gzip",
      message: await gzipOf(" ".repeat(MIB), 8),
    },
    {
      name: "8 gzip members in a row",
      json: true,
      encoding: "gzip",
      message: Buffer.concat(Array.from({ length: 8 }, () => member)),
    },
    {
      name: "8 MiB of spaces, as brotli",
      json: true,
      encoding: "br",
      message: brotliCompressSync(Buffer.alloc(8 * MIB, " ")),
    },
    { name: "nested 3,000 deep, as it is", json: true, message: Buffer.from(`{"x":${"[".repeat(3_000)}`) },
    {
      name: "4,000,000 empty fields, gzipped",
      json: false,
      encoding: "gzip",
      message: await gzipOf("\u0012\0".repeat(MIB), 4),
    },
    { name: "no gzip at all", json: true, encoding: "gzip", message: Buffer.from("{}".repeat(100)) },
  ];
});

/** Codes with which such a body is refused, once its caller may send it. */
const refusals = ["invalid_argument", "resource_exhausted"];

describe("a body that is hostile", () => {
  describe.each(guarded.map((method) => ({ name: nameOf(method), method })))(
    "to $name",
    ({ name, method }) => {
      const may: readonly (Role | undefined)[] = rpcRows[name]?.may ?? [];
      const allowed = callers.find((caller) => may.includes(caller));
      const wanted = (caller: Role | undefined) => {
        if (caller === undefined) return ["unauthenticated"];
        return caller === allowed ? refusals : ["permission_denied"];
      };

      it.each(protocols)(
        "is never looked at for whom may not, and refused before it is parsed for whom may, over %s",
        async (protocol) => {
          const before = process.resourceUsage().maxRSS;
          for (const caller of callers.filter((each) => each === allowed || !may.includes(each))) {
            const authorization = credentials.get(caller);
            // For whom it is shut, it is shut whatever the body is.
            for (const body of caller === allowed ? bodies : bodies.slice(0, 1)) {
              const code = await rawCall({ url: world.url, method, protocol, authorization, ...body });
              expect(wanted(caller), `${body.name}, by ${caller ?? "a stranger"}`).toContain(code);
            }
          }
          expect(process.resourceUsage().maxRSS - before).toBeLessThan(GROWTH);
        },
      );
    },
  );

  describe.each(open.map((method) => ({ name: `${method.parent.typeName}/${method.name}`, method })))(
    "to $name, which needs no credential",
    ({ method }) => {
      it.each(protocols)(
        "is refused over %s: it may be neither compressed nor over 4 KiB",
        async (protocol) => {
          const before = process.resourceUsage().maxRSS;
          const ask = (body: Omit<HostileBody, "name">) =>
            rawCall({ url: world.url, method, protocol, authorization: undefined, ...body });
          for (const body of bodies)
            expect([body.name, await ask(body)]).toEqual([
              body.name,
              body.encoding === undefined ? "invalid_argument" : "unimplemented",
            ]);
          expect(await ask({ json: false, message: Buffer.alloc(4097) })).toBe("resource_exhausted");
          expect(process.resourceUsage().maxRSS - before).toBeLessThan(GROWTH);
        },
      );
    },
  );

  it("makes no difference to a good one that is compressed, in any protocol and encoding", async () => {
    const authorization = credentials.get("admin");
    const agentId = await world.addAgent(OWN);
    const plain = Buffer.from(JSON.stringify({ agentId, config: { text: "long ".repeat(30_000) } }));
    for (const protocol of protocols)
      for (const [encoding, message] of [
        ["gzip", gzipSync(plain)],
        ["gzip", Buffer.concat([gzipSync(plain.subarray(0, 100)), gzipSync(plain.subarray(100))])],
        ["br", brotliCompressSync(plain)],
        [undefined, plain],
      ] as const) {
        const method = AgentProxy.method.pushConfig;
        const call = { url: world.url, method, protocol, json: true, authorization, message };
        expect(await rawCall({ ...call, ...(encoding && { encoding }) })).toBe("ok");
        expect(await rawCall({ ...call, ...(encoding && { encoding }), piece: 99 })).toBe("ok");
      }
  });
});

describe("a body that is hostile to a route", () => {
  const posts = restRoutes.filter(({ methods }) => methods.includes("POST")).map(({ path }) => path);

  it.each(posts)("%s is never read for whom may not, and refused for whom may", async (path) => {
    const may: readonly (Role | undefined)[] = routeRows[`POST ${path}`]?.may ?? [];
    const url = world.url + path.replace(":id", "agent-0");
    const hostile: [Record<string, string>, Uint8Array][] = [
      ...bodies
        .filter(({ encoding }) => encoding !== undefined)
        .map(
          ({ encoding = "", message }) =>
            [{ "content-encoding": encoding }, message] as [Record<string, string>, Uint8Array],
        ),
      [{}, Buffer.from(`{"x":${"[".repeat(3_000)}`)],
      [{}, Buffer.from(`{"x":[${"{},".repeat(200_000)}{}]}`)],
    ];
    for (const [headers, body] of hostile)
      for (const caller of callers) {
        const authorization = credentials.get(caller);
        const response = await fetch(url, {
          method: "POST",
          body: Buffer.from(body),
          headers: {
            "content-type": "application/json",
            ...headers,
            ...(authorization && { authorization }),
          },
        });
        const wanted = caller === undefined ? [401] : may.includes(caller) ? [400, 413] : [403];
        expect(wanted).toContain(response.status);
        expect(await response.text()).toMatch(
          path.startsWith("/v1/") ? /"type":"invalid_request_error"/ : /"reason":"[A-Z_]+"/,
        );
      }
  });
});

describe("a message", () => {
  it("of every RPC has a bound, and a small one if it holds names alone", () => {
    for (const method of [...guarded, ...open])
      expect([nameOf(method), boundsOf(method).bytes <= 4 * MIB]).toEqual([nameOf(method), true]);
    for (const method of open) expect(boundsOf(method)).toEqual({ bytes: 4096, compressed: false });
    expect(boundsOf(AgentRegistry.method.getAgent).bytes).toBe(16 * 1024);
  });
});
