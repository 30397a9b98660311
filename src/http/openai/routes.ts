import type { IncomingMessage, ServerResponse } from "node:http";
import { notFoundMessage } from "../../core/edge.ts";
import { writeJson } from "../routing/json-answer.ts";
import { splitTarget } from "../routing/query.ts";
import type { RouteMatch, RouteRow } from "../routing/routes.ts";
import { chatRoute } from "./chat-route.ts";
import { type OpenAIError, refusal, writeOpenAIError } from "./errors.ts";
import { modelRoute, modelsRoute } from "./models-route.ts";

const shape = { prefixed: false, fail: writeOpenAIError } as const;

/** The routes that OpenAI's clients use (docs/openai.md). */
export const openaiRoutes: readonly RouteRow[] = [
  { ...shape, methods: ["POST"], path: "/v1/chat/completions", route: chatRoute },
  { ...shape, methods: ["GET", "HEAD"], path: "/v1/models", route: modelsRoute },
  { ...shape, methods: ["GET", "HEAD"], path: "/v1/models/:id", route: modelRoute },
];

/** True for the paths whose errors have OpenAI's shape. */
export function isOpenAIPath(path: string): boolean {
  return path === "/v1" || path.startsWith("/v1/");
}

/** Answers a request for which there is no route. */
export function answerNoOpenAIRoute(
  req: IncomingMessage,
  res: ServerResponse,
  match: Exclude<RouteMatch, { kind: "route" }>,
): void {
  if (match.kind === "malformed") {
    return writeOpenAIError(res, refusal("model", "the path has a broken percent-encoding"), req);
  }
  if (match.kind === "wrong_method") {
    return writeJson(res, 405, errorOf(`use ${match.allow}`, "method_not_allowed"), { allow: match.allow });
  }
  writeJson(res, 404, errorOf(notFoundMessage(splitTarget(req.url ?? "/").path), "not_found"));
}

function errorOf(message: string, code: string): OpenAIError {
  return { error: { message, type: "invalid_request_error", param: null, code } };
}
