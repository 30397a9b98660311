import type { JsonObject } from "@bufbuild/protobuf";
import { MessageSchema } from "@valinor/proto/valinor/link/v1/link";
import type { MessageInput } from "../inputs.ts";

/** Names of the link's own fields: a client's further keys never replace them. */
const ownKeys = new Set(MessageSchema.fields.map((field) => field.jsonName));

/**
 * What a message says besides its role and content, as keys of the frame: the link's own fields, and the client's further keys. A guest
 * that keeps no conversations gets the whole history.
 */
export function givenKeys(message: MessageInput | undefined, keepsConversations = true): JsonObject {
  if (message === undefined) return {};
  const { extra, wholeHistory, tools, toolChoice, toolCallId } = message;
  const history = keepsConversations ? message.history : (wholeHistory ?? message.history);
  return {
    ...(extra && Object.fromEntries(Object.entries(extra).filter(([key]) => !ownKeys.has(key)))),
    ...(hasAny(history) && { history: [...history] }),
    ...(hasAny(tools) && { tools: [...tools] }),
    ...(toolChoice !== undefined && { tool_choice: toolChoice }),
    ...(toolCallId !== undefined && { tool_call_id: toolCallId }),
  };
}

/** True if only a guest that takes tools and history can do what the message says. */
export function hasToolsOrHistory(message: MessageInput | undefined): boolean {
  return hasAny(message?.history) || hasAny(message?.tools);
}

/** True for a message whose frame may nest too deep, or have too many tokens: it holds JSON of the client's own. */
export function isShapedByClient(message: MessageInput | undefined): boolean {
  return message?.extra !== undefined || hasToolsOrHistory(message) || hasAny(message?.wholeHistory);
}

function hasAny<T>(list: readonly T[] | undefined): list is readonly T[] {
  return list !== undefined && list.length > 0;
}
