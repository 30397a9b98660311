import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { beforeAll, describe, expect, it } from "vitest";
import { afterFile } from "../helpers/cleanup.ts";
import { startCompressingProxy } from "./compressing-proxy.ts";
import { type EdgeServer, startEdgeServer } from "./edge-server.ts";
import { sendStepwise, sent, surfaces } from "./held-back.ts";

let server: EdgeServer;
const urls: Record<string, string> = {};

beforeAll(async () => {
  server = await startEdgeServer();
  urls["http1"] = await startCompressingProxy(server.port, "http1");
  urls["http2"] = await startCompressingProxy(server.port, "http2");
});

describe.each(["http1", "http2"])(
  "a proxy that compresses whatever it may, and speaks %s to the server",
  (name) => {
    it.each(surfaces)("holds back nothing of %s", async (_surface, open) => {
      expect(await sendStepwise(await open(server, urls[name] ?? ""))).toEqual(sent);
    });

    it("still compresses what is no stream", async () => {
      const list = `${urls[name]}/valinor.v1.AgentRegistry/ListAgents`;
      const headers = { "content-type": "application/json" };
      const answer = await fetch(list, { method: "POST", headers, body: "{}" });
      expect([answer.headers.get("content-encoding"), await answer.json()]).toEqual(["gzip", {}]);
    });
  },
);

it("the proxy does hold back a stream that does not forbid it", async () => {
  const upstream = createServer((_req, res) => {
    res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
    res.write("data: one\n\n");
    setTimeout(() => res.end("data: two\n\n"), 100);
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  afterFile(() => void upstream.close());
  const url = await startCompressingProxy((upstream.address() as AddressInfo).port, "http1");
  const reader = (await fetch(url)).body?.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader?.read())?.value).toBe("data: one\n\ndata: two\n\n");
});
