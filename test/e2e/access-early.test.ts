import { once } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { createClient } from "@connectrpc/connect";
import { beforeAll, describe, expect, it } from "vitest";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/ts/grpc/health/v1/health_pb.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { dial, readUntil } from "../http/serving.ts";
import { type AccessWorld, OTHER, OWN, startAccessWorld, transportOf } from "./access-world.ts";

let world: AccessWorld;
beforeAll(async () => {
  world = await startAccessWorld();
});

describe("who is not known is refused before the body has come", () => {
  /** Sends the headers of a request with a large body, and none of it. */
  async function ask(path: string, type: string, authorization: string): Promise<string> {
    const socket = await dial(Number(new URL(world.url).port));
    socket.write(
      `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\ncontent-length: 3000000\r\n${authorization}\r\n`,
    );
    return readUntil(socket, "\r\n\r\n");
  }
  const bad = ["", "authorization: Bearer nonsense\r\n"];

  it.each(bad)("by REST and unary Connect with 401 (%j)", async (authorization) => {
    for (const path of ["/agents/a/message", "/v1/chat/completions", "/valinor.v1.AgentProxy/SendMessage"]) {
      const answer = await ask(path, "application/json", authorization);
      expect(answer).toMatch(/^HTTP\/1\.1 401 /);
      expect(answer.toLowerCase()).toContain("\r\nwww-authenticate: bearer\r\n");
    }
  });

  it.each(bad)(
    "by a stream over Connect and by gRPC-Web in the response's body (%j)",
    async (authorization) => {
      for (const type of ["application/connect+json", "application/grpc-web+proto"])
        expect(await ask("/valinor.v1.AgentProxy/Stream", type, authorization)).toMatch(/^HTTP\/1\.1 200 /);
    },
  );

  it("by gRPC in trailers", async () => {
    const session = connectHttp2(world.url);
    afterFile(() => session.destroy());
    const stream = session.request(
      {
        ":method": "POST",
        ":path": "/valinor.v1.AgentProxy/SendMessage",
        "content-type": "application/grpc+proto",
        te: "trailers",
      },
      { endStream: false },
    );
    const [headers] = await once(stream, "response");
    stream.resume();
    const status: unknown = headers["grpc-status"] ?? (await once(stream, "trailers"))[0]["grpc-status"];
    expect(String(status)).toBe("16");
  });
});

describe("what needs no credential", () => {
  it.each(["/healthz", "/readyz"])("%s", async (path) => {
    expect((await fetch(world.url + path)).status).toBe(200);
  });

  it("the server's own health over gRPC, but not an agent's, and none of another tenant", async () => {
    const health = createClient(Health, transportOf("gRPC", world.url));
    expect(await health.check({ service: "" })).toMatchObject({
      status: HealthCheckResponse_ServingStatus.SERVING,
    });
    const [own, other] = [await world.addAgent(OWN), await world.addAgent(OTHER)];
    const { key: authorization } = await world.good("viewer");
    const check = (id: string, headers: Record<string, string> = { authorization }) =>
      health.check({ service: `agents/${id}` }, { headers }).then(
        ({ status }) => (status === HealthCheckResponse_ServingStatus.NOT_SERVING ? "NOT_SERVING" : status),
        (error: unknown) => String(error).replaceAll(id, "ID"),
      );
    expect(await check(own)).toBe("NOT_SERVING");
    expect(await check(own, {})).toMatch(/unauthenticated/);
    expect(await check(own, { authorization: (await world.good("nobody")).key })).toMatch(
      /permission_denied/,
    );
    expect(await check(other)).toMatch(/not_found/);
    expect(await check(other)).toBe(await check("agent-0"));
  });
});
