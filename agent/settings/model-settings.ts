import type { UnknownObject } from "@valinor/protocol";

/** The keys of a configuration that the agent knows. Others are kept in its digest and have no effect. */
export interface ModelSettings {
  readonly model?: string;
  readonly temperature?: number;
  readonly topP?: number;
  readonly maxTokens?: number;
  readonly systemPrompt?: string;
}

/** A model's name goes into a header: printable ASCII without spaces. */
const MODEL = /^[\x21-\x7e]{1,256}$/;

const isWithin = (value: unknown, least: number, most: number): value is number =>
  typeof value === "number" && value >= least && value <= most;

/** Reads the known keys of a configuration; a string is the sentence that names the key that is wrong. A null is no key. */
export function readSettings(config: UnknownObject): ModelSettings | string {
  const model = config["model"] ?? undefined;
  const temperature = config["temperature"] ?? undefined;
  const topP = config["top_p"] ?? undefined;
  const maxTokens = config["max_tokens"] ?? undefined;
  const systemPrompt = config["system_prompt"] ?? undefined;
  if (model !== undefined && !(typeof model === "string" && MODEL.test(model))) {
    return "model is not a name of 1 to 256 printable characters";
  }
  if (temperature !== undefined && !isWithin(temperature, 0, 2))
    return "temperature is not a number from 0 to 2";
  if (topP !== undefined && !isWithin(topP, 0, 1)) return "top_p is not a number from 0 to 1";
  if (maxTokens !== undefined && !(isWithin(maxTokens, 1, 0xffffffff) && Number.isInteger(maxTokens))) {
    return "max_tokens is not a positive integer";
  }
  if (systemPrompt !== undefined && typeof systemPrompt !== "string") return "system_prompt is not a string";
  return {
    ...(model !== undefined && { model }),
    ...(temperature !== undefined && { temperature }),
    ...(topP !== undefined && { topP }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(systemPrompt !== undefined && { systemPrompt }),
  };
}
