import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { ModelRequestError } from "./error.ts";
import { parseScript } from "./script.ts";
import type { AnswerPlan } from "./answer.ts";
import { isOpenClawsOwn, unwrapOpenClaw } from "./openclaw.ts";

/** Most bytes of a request's body: what OpenClaw takes, so that every message it would take passes here as well. */
const MAX_BODY_BYTES = 20 * 1024 * 1024;
/** Characters of the user's words that the friendly answer repeats. */
const MAX_QUOTE = 200;

const completionSchema = z.looseObject({
  model: z.string().optional(),
  user: z.string().nullish(),
  stream: z.boolean().nullish(),
  tools: z.array(z.looseObject({ function: z.looseObject({ name: z.string() }) })).nullish(),
  stream_options: z.looseObject({ include_usage: z.boolean().nullish() }).nullish(),
  messages: z
    .array(
      z.looseObject({
        role: z.string(),
        content: z
          .union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.string().optional() }))])
          .nullish(),
      }),
    )
    .min(1),
});

type Messages = z.infer<typeof completionSchema>["messages"];

/** What a request said, for those who look at it later. */
export interface SeenRequest {
  readonly model: string;
  /** Undefined if the request names none. */
  readonly user: string | undefined;
  /** Names of the tools that were offered. */
  readonly tools: readonly string[];
  readonly messages: readonly { readonly role: string; readonly text: string }[];
}

/** A chat completion that a client asks for. */
export interface CompletionRequest {
  readonly seen: SeenRequest;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly plan: AnswerPlan;
}

/** Reads a body of at most 20 MiB. Rejects with ModelRequestError 413 above. */
export async function readBody(req: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of req as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY_BYTES) throw new ModelRequestError(413, `the body is over ${MAX_BODY_BYTES} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Reads what is asked for. Throws ModelRequestError 400 if the body is not a chat completion request. */
export function parseCompletion(body: string, defaultModel: string, wordMs: number): CompletionRequest {
  const { model, user, stream, stream_options, tools, messages } = parseJson(body);
  const promptTokens = messages.reduce((sum, message) => sum + Math.ceil(textOf(message).length / 4), 0);
  return {
    stream: stream === true,
    includeUsage: stream_options?.include_usage === true,
    seen: {
      model: model ?? defaultModel,
      user: user ?? undefined,
      tools: (tools ?? []).map((tool) => tool.function.name),
      messages: messages.map((message) => ({ role: message.role, text: textOf(message) })),
    },
    plan: { ...planOf(messages), model: model ?? defaultModel, promptTokens, wordMs },
  };
}

function parseJson(body: string): z.infer<typeof completionSchema> {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (error) {
    throw new ModelRequestError(400, `the body is not JSON: ${String(error)}`);
  }
  const parsed = completionSchema.safeParse(json);
  if (!parsed.success) throw new ModelRequestError(400, z.prettifyError(parsed.error));
  return parsed.data;
}

function planOf(messages: Messages): Pick<AnswerPlan, "script" | "friendly"> {
  const systems = messages.filter((m) => m.role === "system" || m.role === "developer").length;
  const came =
    systems === 0 ? "" : ` ${systems} system ${systems === 1 ? "message" : "messages"} came along.`;
  const lastUser = messages.findLastIndex((m) => m.role === "user" && !isOpenClawsOwn(textOf(m)));
  const lastTool = messages.findLastIndex((m) => m.role === "tool");
  const asked = messages[lastUser];
  const result = messages[lastTool];
  // A tool's result after the user's message answers a call of ours: obeying the message again would call for ever.
  if (result !== undefined && lastTool > lastUser)
    return { script: parseScript(""), friendly: `The tool answered: ${quote(textOf(result))}.${came}` };
  const script = parseScript(asked === undefined ? "" : unwrapOpenClaw(textOf(asked)));
  const heard = script.words === "" ? "You said nothing." : `You said: ${quote(script.words)}.`;
  const friendly = `Hello! ${heard} I am a scripted stand-in for a model: I repeat, and do not think.${came}`;
  return { script, friendly };
}

function quote(text: string): string {
  return text.length > MAX_QUOTE ? `"${text.slice(0, MAX_QUOTE)}..."` : `"${text}"`;
}

function textOf(message: Messages[number]): string {
  const { content } = message;
  if (content === null || content === undefined) return "";
  return typeof content === "string" ? content : content.map((part) => part.text ?? "").join("");
}
