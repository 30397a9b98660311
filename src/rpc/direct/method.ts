import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import { createMethodSerializationLookup } from "@connectrpc/connect/protocol";
import { AgentProxy, SendMessageResponseSchema } from "@valinor/proto/valinor/v1/agent_proxy";
import type { Caller, SendResult } from "../../core/types.ts";
import { agentProxyCalls, sendInput } from "../agent-proxy.ts";
import { binaryOptions } from "../messages/adapter.ts";
import { boundsOf, type MessageBounds } from "../messages/message-bounds.ts";
import { lookThrough } from "../messages/request-body.ts";
import { doorOf, type RpcServices, type UnaryCall } from "../unary.ts";
import { compileRules, type KeepsRules } from "./rules.ts";
import { type PlainSend, readSendJson } from "./send-message-json.ts";

/** A unary RPC as it is answered without the library's pipeline. `Answer` is what its call resolves with. */
export interface DirectMethod<Request = object, Answer = unknown> {
  readonly desc: DescMethodUnary;
  readonly door: string;
  readonly bounds: MessageBounds;
  /** A request's message of its bytes, within the bounds of what may be parsed. Throws the ConnectError that its client gets. */
  readonly read: (bytes: Uint8Array, json: boolean) => Request;
  /** True if the message keeps the rules of its schema for certain. */
  readonly keepsRules: KeepsRules;
  /** The request as a message, for the validator. */
  readonly toMessage: (request: Request) => Message;
  readonly call: (caller: Caller, request: Request, signal: AbortSignal) => Promise<Answer>;
  /** The answer as it is sent. Throws ConnectError. */
  readonly write: (answer: Answer, json: boolean) => Uint8Array | string;
}

const MAX_BYTES = 0xffffffff;

function methodOf<I extends DescMessage, O extends DescMessage>(
  desc: DescMethodUnary<I, O>,
  call: UnaryCall<MessageShape<I>, MessageShape<O>>,
): DirectMethod<MessageShape<I>, MessageShape<O>> {
  const bounds = boundsOf(desc);
  const serialization = createMethodSerializationLookup(desc, binaryOptions, undefined, {
    readMaxBytes: bounds.bytes,
    writeMaxBytes: MAX_BYTES,
  });
  return {
    desc,
    door: doorOf(desc),
    bounds,
    read(bytes, json) {
      lookThrough(desc, bytes, json);
      return serialization.getI(!json).parse(bytes);
    },
    keepsRules: compileRules(desc.input),
    toMessage: (request) => request,
    call,
    write: (answer, json) => serialization.getO(!json).serialize(answer),
  };
}

/** SendMessage, by far the most frequent of them, with its own hands for the JSON that nearly all clients write and read. */
function sendMessage({ core }: Pick<RpcServices, "core">): DirectMethod<PlainSend, SendResult> {
  const desc = AgentProxy.method.sendMessage;
  const { read, write, ...common } = methodOf(desc, agentProxyCalls({ core }).sendMessage);
  const text = new TextDecoder();
  const toResponse = (result: SendResult) =>
    create(SendMessageResponseSchema, { ...result, toolCalls: [...result.toolCalls] });
  return {
    ...common,
    read(bytes, json) {
      if (!json) return read(bytes, false);
      lookThrough(desc, bytes, true);
      return readSendJson(text.decode(bytes)) ?? read(bytes, true);
    },
    toMessage: (request) => create(desc.input, request),
    // Not `async`: it adds nothing.
    call: (caller, request, signal) => core.send(caller, sendInput(request), signal),
    write(result, json) {
      const isPlain = json && result.toolCalls.length === 0;
      return isPlain ? plainAnswer(result) : write(toResponse(result), json);
    },
  };
}

/** An answer without calls of tools in JSON: fields with a value, in the order of the schema. */
function plainAnswer({ requestId, content, finishReason, usage, resumable }: SendResult): string {
  const answer: Record<string, unknown> = {};
  if (requestId !== "") answer["requestId"] = requestId;
  if (content !== "") answer["content"] = content;
  if (finishReason !== "") answer["finishReason"] = finishReason;
  if (usage !== undefined) {
    const { promptTokens, completionTokens, totalTokens } = usage;
    answer["usage"] = {
      ...(promptTokens !== 0 && { promptTokens }),
      ...(completionTokens !== 0 && { completionTokens }),
      ...(totalTokens !== 0 && { totalTokens }),
    };
  }
  if (resumable) answer["resumable"] = true;
  return JSON.stringify(answer);
}

/** The methods that are answered directly, by their path. */
export function directMethods(services: RpcServices): ReadonlyMap<string, DirectMethod> {
  const { pushConfig, pushContext, cancelMessage, getAgentStatus } = agentProxyCalls(services);
  const { method } = AgentProxy;
  const methods = [
    sendMessage(services),
    methodOf(method.pushConfig, pushConfig),
    methodOf(method.pushContext, pushContext),
    methodOf(method.cancelMessage, cancelMessage),
    methodOf(method.getAgentStatus, getAgentStatus),
  ] as unknown as readonly DirectMethod[];
  return new Map(methods.map((one) => [`/${one.door}`, one]));
}
