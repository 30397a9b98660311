import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { beforeAll, describe, expect, it } from "vitest";
import { type EdgeServer, rpcStream, rpcWatch, startEdgeServer } from "./edge-server.ts";
import { sendStepwise, sent, surfaces } from "./held-back.ts";
import { reasonToSkipNginx, startNginx } from "./nginx.ts";

const skip = reasonToSkipNginx();
let server: EdgeServer;
/** Addresses of the nginx servers by their name. */
const urls: Record<string, string> = {};

describe.skipIf(skip !== undefined)(
  `nginx in front${skip === undefined ? "" : ` (skipped: ${skip})`}`,
  () => {
    beforeAll(async () => {
      server = await startEdgeServer();
      const upstream = `127.0.0.1:${server.port}`;
      const plain = `    location / { proxy_pass http://${upstream}; }`;
      const compressing = "    gzip on;\n    gzip_types *;\n    gzip_proxied any;\n    gzip_min_length 1;\n";
      [urls["plain"], urls["compressing"], urls["http2"], urls["grpc"]] = (await startNginx([
        { lines: plain },
        { lines: compressing + plain },
        { listen: "http2", lines: compressing + plain },
        { listen: "http2", lines: `    location / { grpc_pass grpc://${upstream}; }` },
      ])) as [string, string, string, string];
    });

    describe.each(["plain", "compressing"])("with nothing but proxy_pass (%s)", (name) => {
      it.each(surfaces)("holds back nothing of %s", async (_surface, open) => {
        expect(await sendStepwise(await open(server, urls[name] ?? ""))).toEqual(sent);
      });

      it("serves the console, whose calls are its own", async () => {
        const url = urls[name] ?? "";
        const page = await fetch(`${url}/console/`);
        expect([200, 503]).toContain(page.status);
        expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
        // What a browser says at https and at localhost; the Host that arrives is the upstream's.
        const headers = { origin: url, "sec-fetch-site": "same-origin", "content-type": "application/json" };
        const list = `${url}/valinor.v1.AgentRegistry/ListAgents`;
        expect((await fetch(list, { method: "POST", headers, body: "{}" })).status).toBe(200);
        const foreign = { ...headers, "sec-fetch-site": "cross-site" };
        expect((await fetch(list, { method: "POST", headers: foreign, body: "{}" })).status).toBe(403);
      });
    });

    it.each([
      ["a Connect stream", createConnectTransport],
      ["a gRPC-Web stream", createGrpcWebTransport],
    ])("holds back nothing of %s that comes over HTTP/2", async (_surface, create) => {
      expect(
        await sendStepwise(rpcStream(server, create({ baseUrl: urls["http2"] ?? "", httpVersion: "2" }))),
      ).toEqual(sent);
    });

    it("holds back nothing of gRPC with grpc_pass", async () => {
      const transport = createGrpcTransport({ baseUrl: urls["grpc"] ?? "" });
      expect(await sendStepwise(rpcStream(server, transport))).toEqual(sent);
      expect(await sendStepwise(rpcWatch(server, transport))).toEqual(sent);
    });
  },
);
