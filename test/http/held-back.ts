import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { onTestFinished } from "vitest";
import {
  arrives,
  type EdgeServer,
  openaiStream,
  type Pieces,
  rpcStream,
  rpcWatch,
  sseStream,
} from "./edge-server.ts";

const http1 = (url: string) => ({ baseUrl: url, httpVersion: "1.1" }) as const;

/** Every kind of stream that goes over HTTP/1, and how a client opens it. */
export const surfaces: readonly [string, (server: EdgeServer, url: string) => Pieces | Promise<Pieces>][] = [
  ["a Connect stream", (server, url) => rpcStream(server, createConnectTransport(http1(url)))],
  [
    "a Connect stream in binary",
    (server, url) => rpcStream(server, createConnectTransport({ ...http1(url), useBinaryFormat: true })),
  ],
  ["a gRPC-Web stream", (server, url) => rpcStream(server, createGrpcWebTransport(http1(url)))],
  ["a watch over Connect", (server, url) => rpcWatch(server, createConnectTransport(http1(url)))],
  ["a watch over gRPC-Web", (server, url) => rpcWatch(server, createGrpcWebTransport(http1(url)))],
  ["server-sent events", (server, url) => sseStream(server, url)],
  ["a chat completion", (server, url) => openaiStream(server, url)],
];

/** What is sent, a piece at a time. */
export const sent = ["one", "two", "three", "four"] as const;

/** Sends each piece only when the one before has arrived; gives what arrived. Rejects if one does not within 10 s. */
export async function sendStepwise(pieces: Pieces): Promise<string[]> {
  onTestFinished(() => pieces.close());
  const opening = await arrives(pieces, "the opening");
  if (opening !== "opened" && opening !== "snapshotComplete") throw new Error(`it began with ${opening}`);
  const got: string[] = [];
  for (const text of sent) {
    pieces.send(text);
    got.push(await arrives(pieces, text));
  }
  return got;
}
