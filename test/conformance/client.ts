/**
 * A client as the conformance runner starts them: `node client.ts ours|control node|web SCHEMAS`. It reads calls on standard input, makes
 * them, and says on standard output what became of each. `ours` is what @valinor/client (clients/ts) puts around whatever transport it is
 * given: its mapping of errors (`typedErrors`), and its watch over streams (`readCall`). Both are private to it, since its public surface has
 * Valinor's own services alone; all else that it adds (retries, resuming) is above them, and knows Valinor's messages. `control` is the same
 * transport without.
 */
import { create, fromBinary, type Message, toBinary } from "@bufbuild/protobuf";
import type { Transport } from "@connectrpc/connect";
import { typedErrors } from "../../clients/ts/src/calls.ts";
import { makeCall } from "./client-calls.ts";
import { createTransports, type Way } from "./client-transport.ts";
import { type ClientRequest, messageOf, readSchemas } from "./schema.ts";

/** Calls that are made at once. */
const AT_ONCE = 8;

const [kind, way, file = ""] = process.argv.slice(2);
const schemas = readSchemas(file);
const transportOf = createTransports(way as Way, schemas);
const ours = kind === "ours";
const wrap = (transport: Transport) => (ours ? typedErrors(transport) : transport);

/** The messages on standard input: each its length in four bytes, and itself. */
async function* readMessages(): AsyncGenerator<Uint8Array> {
  let all = Buffer.alloc(0);
  for await (const part of process.stdin) {
    all = Buffer.concat([all, part as Buffer]);
    for (
      let size;
      all.length >= 4 && all.length >= 4 + (size = all.readUInt32BE(0));
      all = all.subarray(4 + size)
    )
      yield all.subarray(4, 4 + size);
  }
}

function answer(testName: string, result: object): void {
  const response = messageOf(schemas, "ClientCompatResponse");
  const bytes = toBinary(response, create(response, { testName, result }));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(bytes.length);
  process.stdout.write(Buffer.concat([head, bytes]));
}

async function make(request: ClientRequest): Promise<void> {
  const { testName } = request;
  try {
    const value = await makeCall(schemas, wrap(transportOf(request)), request, ours);
    const result = create(messageOf(schemas, "ClientResponseResult"), { ...value });
    answer(testName, { case: "response", value: result });
  } catch (error) {
    const failure = create(messageOf(schemas, "ClientErrorResult"), { message: String(error) });
    answer(testName, { case: "error", value: failure });
  }
}

const going = new Set<Promise<void>>();
for await (const bytes of readMessages()) {
  const request = fromBinary(messageOf(schemas, "ClientCompatRequest"), bytes) as Message & ClientRequest;
  const call = make(request).finally(() => going.delete(call));
  going.add(call);
  if (going.size >= AT_ONCE) await Promise.race(going);
}
await Promise.all(going);
// The transports hold their connections open.
process.stdout.write("", () => process.exit(0));
