import type { DescMethod } from "@bufbuild/protobuf";
import type { UniversalHandler, UniversalServerRequest } from "@connectrpc/connect/protocol";
import { prescan, prescanFrom } from "@valinor/protocol";
import { createEnvelopeSplitter, COMPRESSED, ENVELOPE, seal } from "./envelopes.ts";
import { rewrap } from "./handlers.ts";
import { inflate, isEncoding } from "./inflate.ts";
import type { MessageBounds } from "./message-bounds.ts";
import { prescanBinary } from "./prescan-binary.ts";
import { refuseMessage, tooLarge } from "./refuse.ts";

/** What is done with each message of a request. */
interface Intake {
  readonly method: DescMethod;
  readonly bounds: MessageBounds;
  readonly json: boolean;
  /** What its messages are compressed with; undefined: nothing, or nothing that is taken, which the library refuses. */
  readonly encoding: string | undefined;
}

type Body = AsyncIterable<Uint8Array>;

/**
 * Makes a handler's request messages bounded before anything is made of them: each is read up to the method's size, inflated within
 * bounds, and looked through for nesting and number of values; the library gets it uncompressed. Nothing is read before the library asks,
 * which it does after the gate.
 */
export function boundRequests(handler: UniversalHandler, bounds: MessageBounds): UniversalHandler {
  return rewrap(handler, (request) => handler(bounded(request, handler.method, bounds)));
}

function bounded(
  request: UniversalServerRequest,
  method: DescMethod,
  bounds: MessageBounds,
): UniversalServerRequest {
  if (request.method === "GET") return posted(request, method, bounds);
  const { header, body } = request;
  if (request.method !== "POST" || !isBody(body)) return request;
  const type = header.get("content-type") ?? "";
  const encodingHeader = encodingHeaderOf(type);
  const encoding = header.get(encodingHeader);
  const intake: Intake = {
    method,
    bounds,
    json: /json/i.test(type),
    encoding: bounds.compressed && isEncoding(encoding) ? encoding : undefined,
  };
  if (encodingHeader !== "content-encoding") return { ...request, body: envelopes(body, intake) };
  const length = Number(header.get("content-length") ?? 0);
  const plain = intake.encoding === undefined ? header : uncompressed(header, intake.encoding);
  return { ...request, header: plain, body: once(() => readWhole(body, length, intake)) };
}

/**
 * A call of Connect's GET as the POST that it stands for: what holds for messages in a body holds for one in the query, and the library's
 * own way calls a query that it can't read an internal error. A query that names no form or compression of ours stays for the library,
 * which has an answer for it.
 */
function posted(
  request: UniversalServerRequest,
  method: DescMethod,
  bounds: MessageBounds,
): UniversalServerRequest {
  const query = new URL(request.url).searchParams;
  const form = query.get("encoding");
  const encoding = query.get("compression") ?? "identity";
  const inflated = bounds.compressed && isEncoding(encoding);
  if ((form !== "json" && form !== "proto") || (!inflated && encoding !== "identity")) return request;
  const intake: Intake = {
    method,
    bounds,
    json: form === "json",
    encoding: inflated ? encoding : undefined,
  };
  const header = inflated ? uncompressed(request.header, encoding) : new Headers(request.header);
  header.set("content-type", `application/${form}`);
  const body = once(async () => {
    const bytes = readQuery(query);
    if (bytes.length > bounds.bytes) throw tooLarge(bounds.bytes);
    return takeMessage(bytes, intake, true);
  });
  return { ...request, method: "POST", header, body };
}

function readQuery(query: URLSearchParams): Uint8Array {
  const message = query.get("message") ?? "";
  if (query.get("base64") !== "1") return Buffer.from(message);
  // Both alphabets, with and without padding, as the library reads it.
  if (!/^[\w+/-]*={0,2}$/.test(message)) throw refuseMessage("the message in the query is not base64");
  return Buffer.from(message, "base64");
}

function isBody(body: UniversalServerRequest["body"]): body is Body {
  return typeof body === "object" && body !== null && Symbol.asyncIterator in body;
}

function encodingHeaderOf(type: string): string {
  if (/^application\/grpc/i.test(type)) return "grpc-encoding";
  return /^application\/connect\+/i.test(type) ? "connect-content-encoding" : "content-encoding";
}

/** The headers without what was true of the compressed body. The answer is compressed as the request was, as without us. */
function uncompressed(header: Headers, encoding: string): Headers {
  const plain = new Headers(header);
  plain.delete("content-encoding");
  plain.delete("content-length");
  if (!plain.has("accept-encoding")) plain.set("accept-encoding", encoding);
  return plain;
}

/** A body of one piece that is read when it is asked for. */
function once(read: () => Promise<Uint8Array>): Body {
  return {
    [Symbol.asyncIterator]() {
      let asked = false;
      return {
        async next() {
          if (asked) return { done: true, value: undefined };
          asked = true;
          return { done: false, value: await read() };
        },
      };
    },
  };
}

/** A unary message of Connect: the whole body. */
async function readWhole(body: Body, length: number, intake: Intake): Promise<Uint8Array> {
  const { bytes: most } = intake.bounds;
  if (length > most) throw tooLarge(most);
  const parts: Uint8Array[] = [];
  let size = 0;
  // Without `for await`: leaving it early would destroy the request, which the listener still has to end.
  const source = body[Symbol.asyncIterator]();
  for (let next = await source.next(); next.done !== true; next = await source.next()) {
    size += next.value.length;
    if (size > most) throw tooLarge(most);
    parts.push(next.value);
  }
  return takeMessage(parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts), intake, true);
}

/** Messages in envelopes, as streams of Connect and all of gRPC have them. */
async function* envelopes(body: Body, intake: Intake): AsyncGenerator<Uint8Array> {
  const splitter = createEnvelopeSplitter(intake.bounds.bytes);
  const source = body[Symbol.asyncIterator]();
  for (let next = await source.next(); next.done !== true; next = await source.next()) {
    for (const { flags, data } of splitter.push(next.value)) {
      const compressed = (flags & COMPRESSED) !== 0 && intake.encoding !== undefined;
      yield seal(compressed ? flags ^ COMPRESSED : flags, await takeMessage(data, intake, compressed));
    }
  }
  // The library has words for an envelope that is cut off.
  if (splitter.partial) yield new Uint8Array(ENVELOPE - 1);
}

/** Inflates and looks through a message. */
async function takeMessage(bytes: Uint8Array, intake: Intake, compressed: boolean): Promise<Uint8Array> {
  const { method, bounds, json, encoding } = intake;
  const plain = compressed && encoding !== undefined ? await inflate(bytes, encoding, bounds.bytes) : bytes;
  lookThrough(method, plain, json);
  return plain;
}

/** Looks through a message for nesting and number of values, before anything is made of it. Throws invalid_argument. */
export function lookThrough(method: DescMethod, bytes: Uint8Array, json: boolean): void {
  const wrong = json ? prescanJson(bytes) : prescanBinary(method.input, bytes);
  if (wrong !== undefined) throw refuseMessage(`the message has ${wrong}`);
}

function prescanJson(bytes: Uint8Array): string | undefined {
  if (bytes.length < prescanFrom) return undefined;
  return prescan(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), 0, bytes.length);
}
