/**
 * The floor for Connect and gRPC: connect-node as it comes, with no interceptors; a stream is a generator that yields a message
 * a chunk.
 */
import { createServer } from "node:http";
import { createServer as createServer2 } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { ServiceImpl } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import {
  AgentProxy,
  SendMessageResponseSchema,
  type StreamResponseSchema,
} from "../gen/ts/valinor/v1/agent_proxy_pb.ts";
import { argument, serveControl } from "./control.ts";
import { openFloorLinks } from "./floor-link.ts";
import type { ServerArgument } from "./server-argument.ts";

const { guestPorts } = argument() as ServerArgument;
const linkOf = await openFloorLinks(guestPorts);

type Event = MessageInitShape<typeof StreamResponseSchema>;

const implementation: Partial<ServiceImpl<typeof AgentProxy>> = {
  sendMessage: ({ agentId, message }) =>
    new Promise((resolve) => {
      let content = "";
      linkOf(agentId).open(message?.content ?? "", {
        chunk(payload) {
          content += String(payload["content"]);
          if (payload["done"] === true) resolve(create(SendMessageResponseSchema, { content }));
        },
        flush() {},
      });
    }),

  async *stream({ agentId, message }, { signal }) {
    let queue: Event[] = [];
    let wake = () => {};
    const exchange = linkOf(agentId).open(message?.content ?? "", {
      chunk(payload) {
        const text = String(payload["content"]);
        queue.push({
          sequence: Number(payload["sequence"]),
          event: { case: "textDelta", value: { text } },
        });
      },
      flush: () => wake(),
    });
    signal.addEventListener("abort", () => wake(), { once: true });
    try {
      yield { event: { case: "opened", value: { requestId: "run" } } };
      while (!signal.aborted) {
        const batch = queue;
        queue = [];
        // Not `yield*`, which costs a promise more for each message.
        for (const one of batch) yield one;
        exchange.release();
        if (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      exchange.detach();
    }
  },
};

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

const handler = connectNodeAdapter({ routes: (router) => router.service(AgentProxy, implementation) });
const http1 = await listen(createServer({ noDelay: true, keepAliveTimeout: 75_000 }, handler));
const http2 = await listen(createServer2(handler));
serveControl([http1, http2], () => 0);
