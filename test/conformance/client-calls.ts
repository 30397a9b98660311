import { setTimeout as delay } from "node:timers/promises";
import { create, type FileRegistry, type Message } from "@bufbuild/protobuf";
import { type Any, AnySchema, anyUnpack } from "@bufbuild/protobuf/wkt";
import { type CallOptions, Code, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import { readCall } from "../../clients/ts/src/calls.ts";
import { ValinorError } from "../../clients/ts/src/errors.ts";
import { type CancelTiming, type ClientRequest, type Header, serviceOf } from "./schema.ts";

/** What became of a call: fields of ClientResponseResult. */
export interface CallResult {
  responseHeaders: Header[];
  responseTrailers: Header[];
  payloads: unknown[];
  error?: { code: number; message: string; details: readonly Any[] };
  numUnsentRequests: number;
}

type Answer = Message & { readonly payload?: Message };
type UnaryCall = (request: Message, options: CallOptions) => Promise<Answer>;
type ServerStreamCall = (request: Message, options: CallOptions) => AsyncIterable<Answer>;
type ClientStreamCall = (requests: AsyncIterable<Message>, options: CallOptions) => Promise<Answer>;
type BidiCall = (requests: AsyncIterable<Message>, options: CallOptions) => AsyncIterable<Answer>;

/** A call under way. */
interface Going {
  readonly request: ClientRequest;
  readonly messages: readonly Message[];
  readonly cancel: CancelTiming;
  readonly abort: AbortController;
  readonly options: CallOptions;
  readonly result: CallResult;
}

/** Longest silence of a stream, milliseconds: that of @valinor/client. */
const SILENCE_MS = 45_000;

/** What the name of a type stands behind in an Any. */
const TYPES = "type.googleapis.com/";

/** Makes the call that is asked for. With `watched` streams are read by what @valinor/client reads them with,
 * and all that is thrown must be a ValinorError or the reason of the abort. */
export async function makeCall(
  schemas: FileRegistry,
  transport: Transport,
  request: ClientRequest,
  watched: boolean,
): Promise<CallResult> {
  const client = createClient(serviceOf(schemas), transport) as unknown as Record<string, unknown>;
  const going = begin(schemas, request);
  const method = request.method ?? "";
  const call = client[method.charAt(0).toLowerCase() + method.slice(1)];
  try {
    await play(call, method, going, watched);
  } catch (thrown) {
    // Of a stream of requests, Connect's client itself counts the answers, above every transport.
    const typed = thrown instanceof ValinorError || thrown === going.abort.signal.reason;
    if (watched && !typed && method !== "ClientStream")
      throw new Error("the client threw what is no ValinorError", { cause: thrown });
    takeError(going.result, thrown);
  }
  return going.result;
}

async function play(call: unknown, method: string, going: Going, watched: boolean): Promise<void> {
  const { result, messages, options } = going;
  const [first] = messages;
  if (method === "ClientStream") {
    const answer = await (call as ClientStreamCall)(requestsOf(going), options);
    return void result.payloads.push(answer.payload);
  }
  if (method === "BidiStream") return talk(call as BidiCall, going);
  if (first === undefined) throw new Error(`${method} was asked for without a request`);
  if (method === "ServerStream") {
    const open = (signal: AbortSignal) => (call as ServerStreamCall)(first, { ...options, signal });
    cancelAfter(going);
    const { signal } = going.abort;
    return take(going, watched ? readCall(open, () => SILENCE_MS, signal) : open(signal));
  }
  cancelAfter(going);
  const answer = await (call as UnaryCall)(first, options);
  result.payloads.push(answer.payload);
}

function begin(schemas: FileRegistry, request: ClientRequest): Going {
  const messages = request.requestMessages.map((any) => {
    const message = anyUnpack(any, schemas);
    if (message === undefined) throw new Error(`the runner's schemas have no ${any.typeUrl}`);
    return message;
  });
  const headers = new Headers();
  for (const { name, value } of request.requestHeaders) for (const one of value) headers.append(name, one);
  const result: CallResult = {
    responseHeaders: [],
    responseTrailers: [],
    payloads: [],
    numUnsentRequests: 0,
  };
  const abort = new AbortController();
  return {
    request,
    messages,
    result,
    abort,
    cancel: request.cancel?.cancelTiming ?? { case: undefined },
    options: {
      headers,
      signal: abort.signal,
      ...(request.timeoutMs !== undefined && { timeoutMs: request.timeoutMs }),
      onHeader: (received) => void (result.responseHeaders = listOf(received)),
      onTrailer: (received) => void (result.responseTrailers = listOf(received)),
    },
  };
}

function cancelAfter({ cancel, abort }: Going): void {
  if (cancel.case === "afterCloseSendMs") setTimeout(() => abort.abort(), cancel.value);
}

/** All requests, each after its pause; and then what is to be done before or after the last. */
async function* requestsOf(going: Going, mayGoOn?: () => Promise<unknown>): AsyncGenerator<Message> {
  const { request, messages, cancel, abort, result } = going;
  result.numUnsentRequests = messages.length;
  for (const message of messages) {
    await delay(request.requestDelayMs);
    result.numUnsentRequests--;
    yield message;
    await mayGoOn?.();
  }
  if (cancel.case === "beforeCloseSend") {
    abort.abort();
    // Were it to end here, the other side would see a whole request.
    await new Promise(() => {});
  }
  cancelAfter(going);
}

async function take(going: Going, answers: AsyncIterable<Answer>): Promise<void> {
  const { result, cancel, abort } = going;
  for await (const answer of answers) {
    result.payloads.push(answer.payload);
    if (cancel.case === "afterNumResponses" && result.payloads.length >= cancel.value) abort.abort();
  }
}

/** A stream of both sides; if they talk at once, each request but the first waits for the answer to the one before. */
async function talk(call: BidiCall, going: Going): Promise<void> {
  const { result, cancel, abort, options, request } = going;
  const FULL_DUPLEX = 5;
  let answered = Promise.withResolvers<void>();
  const inTurn = request.streamType !== FULL_DUPLEX ? undefined : () => answered.promise;
  const over = new Promise<void>((resolve) => abort.signal.addEventListener("abort", () => resolve()));
  const answers = call(requestsOf(going, inTurn && (() => Promise.race([inTurn(), over]))), options);
  try {
    for await (const answer of answers) {
      result.payloads.push(answer.payload);
      const last = answered;
      answered = Promise.withResolvers();
      if (cancel.case === "afterNumResponses" && result.payloads.length >= cancel.value) abort.abort();
      last.resolve();
    }
  } finally {
    answered.resolve();
  }
}

function takeError(result: CallResult, thrown: unknown): void {
  const error = asConnectError(thrown);
  if (result.responseHeaders.length === 0) result.responseHeaders = listOf(error.metadata);
  if (result.responseTrailers.length === 0) result.responseTrailers = listOf(error.metadata);
  const details = error.details.flatMap((detail) =>
    "type" in detail ? [create(AnySchema, { typeUrl: TYPES + detail.type, value: detail.value })] : [],
  );
  result.error = { code: error.code, message: error.rawMessage, details };
}

/**
 * What was thrown, for the runner. A ValinorError tells its own code, except if it has the reason CONNECTION_LOST: that is what the client
 * makes of every error that has no ErrorInfo of Valinor and no code that a proxy's bare status has, and it keeps the error as its cause.
 */
function asConnectError(thrown: unknown): ConnectError {
  if (!(thrown instanceof ValinorError)) return ConnectError.from(thrown);
  const cause = ConnectError.from(thrown.cause);
  if (thrown.reason === "CONNECTION_LOST") return cause;
  const name = thrown.code.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const error = new ConnectError(cause.rawMessage, Code[name as keyof typeof Code], cause.metadata);
  error.details = cause.details;
  return error;
}

function listOf(headers: Headers): Header[] {
  return [...headers].map(([name, value]) => ({ name, value: value.split(", ") }));
}
