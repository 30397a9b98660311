import { join } from "node:path";
import { Writable } from "node:stream";
import { pino } from "pino";
import { expect, it } from "vitest";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import { dial, readAll } from "../http/serving.ts";

const paths = [
  "/grpc.health.v1.Health/Check",
  "/valinor.v1.AgentProxy/SendMessage",
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
  "/agents",
  "/v1/models",
  "/healthz",
  "/console/",
  "/nothing",
];

/** A server whose callers need a credential, with its log. */
async function start() {
  const flags = {
    server: { port: 0 },
    auth: { api_keys: "true" },
    store: { url: `sqlite:${join(tempDir(), "v.db")}` },
  };
  const config = loadConfig({ env: {}, flags, mode: "serve" });
  const lines: string[] = [];
  const into = new Writable({
    write(line: Buffer, _encoding, done) {
      lines.push(line.toString());
      done();
    },
  });
  const server = await startServer(
    { ...config, server: { ...config.server, drainMs: 0 } },
    { logger: pino(into) },
  );
  afterFile(() => server.close());
  return { server, lines };
}

const { server, lines } = await start();

async function post(path: string, version: string, host: string): Promise<string> {
  const socket = await dial(server.port);
  socket.write(
    `POST ${path} HTTP/${version}\r\n${host}content-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}`,
  );
  return readAll(socket);
}

it.each(paths)("%s answers 400 to a Host that is no authority, and logs nothing", async (path) => {
  const before = lines.length;
  for (const host of ["a b", "", "[::1", "localhost:99999", "u@localhost", "127.0.0.256"])
    expect(await post(path, "1.1", `host: ${host}\r\n`)).toContain("HTTP/1.1 400 ");
  expect(lines).toHaveLength(before);
});

it("a health check over HTTP/1.0 that names no host is answered", async () => {
  const answer = await post("/grpc.health.v1.Health/Check", "1.0", "");
  expect(answer).toContain("HTTP/1.1 200 ");
  expect(answer).toContain("SERVING");
});
