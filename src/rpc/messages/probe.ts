import { create, type DescMessage, type MessageInitShape, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { ServerResponse } from "node:http";
import { StreamResponseSchema } from "@valinor/proto/valinor/v1/agent_proxy";
import { WatchAgentsResponseSchema } from "@valinor/proto/valinor/v1/agent_registry";
import { onProbe } from "../../core/edge.ts";

/** A keepalive in each form, as an envelope that is not compressed. */
interface Keepalive {
  readonly json: Buffer;
  readonly binary: Buffer;
}

const stream = keepalive(StreamResponseSchema, { event: { case: "keepalive", value: {} } });
const watch = keepalive(WatchAgentsResponseSchema, { event: { case: "keepalive", value: {} } });

/** Streams whose messages have a keepalive, by the type of their messages. */
const keepalives: Readonly<Record<string, Keepalive>> = {
  [StreamResponseSchema.typeName]: stream,
  [WatchAgentsResponseSchema.typeName]: watch,
};

/** Lets a stream of such messages be probed by a keepalive; does nothing for others. */
export function probeByKeepalive(res: ServerResponse, output: DescMessage): void {
  const known = keepalives[output.typeName];
  if (known === undefined) return;
  onProbe(res, () => {
    const type = String(res.getHeader("content-type") ?? "");
    const bytes = type.endsWith("json") ? known.json : known.binary;
    res.write(type.includes("-text") ? bytes.toString("base64") : bytes);
  });
}

function keepalive<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Keepalive {
  const message = create(schema, init);
  return {
    json: envelope(Buffer.from(toJsonString(schema, message))),
    binary: envelope(toBinary(schema, message)),
  };
}

function envelope(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
