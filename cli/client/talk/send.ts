import type { SendResult, ToolCall } from "@valinor/client";
import type { Environment } from "../../terminal/environment.ts";
import { readInput } from "./input.ts";
import { note, type OutputForm, writeJson, writeOwn, writeText } from "../output.ts";
import { showProgress } from "./progress.ts";
import { type MessageOptions, messageOptions, patience } from "./reading.ts";
import { type ServerOptions, withServer } from "../session.ts";

/** Flags of `valinor send`. */
export interface SendOptions extends ServerOptions, MessageOptions {
  readonly output?: OutputForm;
}

/** Sends a message and prints the whole answer. Rejects with CliError. */
export async function send(
  agent: string,
  message: string | undefined,
  options: SendOptions,
  env: Environment,
): Promise<void> {
  await withServer(options, env, async (session) => {
    const text = await readInput(message, "message", { trim: true, signal: session.signal });
    const progress = showProgress(`waiting for ${agent}`);
    const reading = { ...messageOptions(options), ...patience(session.signal) };
    const answer = await session.client.send(agent, text, reading).finally(() => progress.stop());
    if (options.output === "json") return writeJson(answerJson(answer));
    for (const call of answer.toolCalls) note(toolCallLine(call));
    writeText(answer.content);
    if (answer.content !== "" && !answer.content.endsWith("\n")) writeOwn("\n");
  });
}

/** A client tool's call, for people. */
export function toolCallLine({ toolName, arguments: args }: ToolCall): string {
  return `[tool call] ${toolName} ${args}`;
}

function answerJson({ requestId, content, finishReason, usage, toolCalls, resumable }: SendResult): object {
  return {
    request_id: requestId,
    resumable,
    content,
    finish_reason: finishReason,
    usage: usage === undefined ? null : usageJson(usage),
    tool_calls: toolCalls.map(({ callId, toolName, arguments: args }) => ({
      call_id: callId,
      tool_name: toolName,
      arguments: args,
    })),
  };
}

/** Counts of tokens, as the API's JSON has them. */
export function usageJson(usage: NonNullable<SendResult["usage"]>): object {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.totalTokens,
  };
}
