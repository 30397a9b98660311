import { setTimeout as delay } from "node:timers/promises";
import { create, type DescMessage, type FileRegistry, type Message, toBinary } from "@bufbuild/protobuf";
import { type Any, anyPack } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from "@connectrpc/connect";
import type { DescService } from "@bufbuild/protobuf";
import {
  type ErrorDefinition,
  type Header,
  messageOf,
  serviceOf,
  type StreamDefinition,
  type UnaryDefinition,
} from "./schema.ts";

/** What a request asks for in the fields that every request of a kind has. */
type UnaryAsk = Message & { readonly responseDefinition?: UnaryDefinition };
type StreamAsk = Message & { readonly responseDefinition?: StreamDefinition; readonly fullDuplex?: boolean };

/** The service that the runner calls: it answers what each request says that it is to answer, and what it saw of that request. */
export function conformanceService(schemas: FileRegistry): ServiceImpl<DescService> {
  const { method } = serviceOf(schemas);
  const info = messageOf(schemas, "ConformancePayload.RequestInfo");
  const seenOf = createSeen(schemas);

  async function unary(
    output: DescMessage,
    asks: readonly UnaryAsk[],
    input: DescMessage,
    context: HandlerContext,
  ) {
    const definition = asks[0]?.responseDefinition;
    const requestInfo = seenOf(context, input, asks);
    if (definition === undefined) return create(output, { payload: { requestInfo } });
    setHeaders(context, definition);
    await delay(definition.responseDelayMs);
    const { response } = definition;
    if (response.case === "error") throw errorOf(response.value, info, requestInfo);
    return create(output, { payload: { requestInfo, ...(response.case && { data: response.value }) } });
  }

  async function* stream(
    output: DescMessage,
    asks: AsyncIterable<StreamAsk>,
    input: DescMessage,
    context: HandlerContext,
  ) {
    let definition: StreamDefinition | undefined;
    let unseen: StreamAsk[] = [];
    let sent = 0;
    let fullDuplex: boolean | undefined;
    const answer = async () => {
      await delay(definition?.responseDelayMs ?? 0);
      const whole = sent === 0 || unseen.length > 0;
      const requestInfo = sent === 0 ? seenOf(context, input, unseen) : { requests: pack(input, unseen) };
      const data = definition?.responseData[sent++] ?? new Uint8Array();
      unseen = [];
      return create(output, { payload: { data, ...(whole && { requestInfo }) } });
    };
    for await (const ask of asks) {
      if (definition === undefined && ask.responseDefinition !== undefined) {
        definition = ask.responseDefinition;
        setHeaders(context, definition);
      }
      unseen.push(ask);
      // Only the first request says whether both sides talk at once.
      fullDuplex ??= ask.fullDuplex ?? false;
      if (!fullDuplex) continue;
      if (sent >= (definition?.responseData.length ?? 0)) break;
      yield await answer();
    }
    while (sent < (definition?.responseData.length ?? 0)) yield await answer();
    if (definition?.error !== undefined)
      throw errorOf(definition.error, info, sent === 0 ? seenOf(context, input, unseen) : undefined);
  }

  const outputOf = (name: string) => method[name]?.output as DescMessage;
  const inputOf = (name: string) => method[name]?.input as DescMessage;
  const one = (name: string) => async (ask: Message, context: HandlerContext) =>
    unary(outputOf(name), [ask], inputOf(name), context);
  return {
    unary: one("unary"),
    unimplemented: () => Promise.reject(new ConnectError("as it is called", Code.Unimplemented)),
    idempotentUnary: one("idempotentUnary"),
    async clientStream(asks: AsyncIterable<Message>, context: HandlerContext) {
      const all = await Array.fromAsync(asks);
      return unary(outputOf("clientStream"), all, inputOf("clientStream"), context);
    },
    serverStream: (ask: Message, context: HandlerContext) =>
      stream(outputOf("serverStream"), only(ask), inputOf("serverStream"), context),
    bidiStream: (asks: AsyncIterable<Message>, context: HandlerContext) =>
      stream(outputOf("bidiStream"), asks as AsyncIterable<StreamAsk>, inputOf("bidiStream"), context),
  } as unknown as ServiceImpl<DescService>;
}

async function* only(ask: Message): AsyncGenerator<StreamAsk> {
  yield ask;
}

function pack(input: DescMessage, asks: readonly Message[]): Any[] {
  return asks.map((ask) => anyPack(input, ask));
}

/** Makes what tells of a request as the service saw it. */
function createSeen(schemas: FileRegistry) {
  const info = messageOf(schemas, "ConformancePayload.RequestInfo");
  return (context: HandlerContext, input: DescMessage, asks: readonly Message[]): Message => {
    const timeout = context.timeoutMs();
    const query = [...new URL(context.url).searchParams];
    return create(info, {
      requestHeaders: headersOf(context.requestHeader),
      requests: pack(input, asks),
      ...(timeout !== undefined && { timeoutMs: BigInt(Math.round(timeout)) }),
      ...(query.length > 0 && {
        connectGetInfo: { queryParams: query.map(([name, value]) => ({ name, value: [value] })) },
      }),
    });
  };
}

function headersOf(headers: Headers): Header[] {
  return [...headers].map(([name, value]) => ({ name, value: value.split(", ") }));
}

function setHeaders(
  { responseHeader, responseTrailer }: HandlerContext,
  definition: UnaryDefinition | StreamDefinition,
): void {
  for (const { name, value } of definition.responseHeaders)
    for (const one of value) responseHeader.append(name, one);
  for (const { name, value } of definition.responseTrailers)
    for (const one of value) responseTrailer.append(name, one);
}

function errorOf(definition: ErrorDefinition, info: DescMessage, seen: Message | undefined): ConnectError {
  const error = new ConnectError(definition.message ?? "", definition.code);
  error.details = definition.details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
    value,
  }));
  if (seen !== undefined) error.details.push({ type: info.typeName, value: toBinary(info, seen) });
  return error;
}
