import { Failure, type Message } from "@valinor/protocol";
import type { ModelRequest } from "../runs/model.ts";
import type { WantedConfig } from "../settings/config-in-force.ts";

/** What decides whether a run may begin. */
export interface BeginConditions {
  readonly draining: boolean;
  readonly config: WantedConfig;
  readonly hasRoom: () => boolean;
}

/** Throws Failure if a message that names no run yet may not begin one. */
export function checkBegin(message: Message, { draining, config, hasRoom }: BeginConditions): void {
  if (draining) throw new Failure("draining", "the agent is about to stop");
  if (message.minConfigRevision > config.revision)
    throw new Failure("config_stale", `config revision ${config.revision} is in force`);
  if (!hasRoom()) throw new Failure("busy", "the agent has all the runs that it can hold");
}

/** What the model is asked: the message under the configuration and the context in force. */
export function requestOf(message: Message, config: WantedConfig, context: readonly string[]): ModelRequest {
  const { systemPrompt } = config.settings;
  return {
    role: message.role ?? "user",
    content: message.content,
    toolCallId: message.toolCallId,
    history: message.history,
    tools: message.tools,
    toolChoice: message.toolChoice,
    conversationId: message.conversationId,
    systemTexts: [...(systemPrompt ? [systemPrompt] : []), ...context],
    settings: config.settings,
  };
}
