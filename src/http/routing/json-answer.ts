import type { ServerResponse } from "node:http";
import { errorRow, type ValinorError } from "../../core/errors.ts";

/** What REST clients are told of an error; `error` is what clients of the first generation read. */
export interface RestError {
  readonly error: string;
  readonly reason: string;
  readonly message: string;
}

/** An error as REST calls it (docs/errors.md). */
export function restError(error: ValinorError): RestError {
  return { error: restText(error), reason: error.reason, message: error.message };
}

/** The REST text of an error: the table's, unless the error has its own, with the tool's name or the agent's message. */
function restText(error: ValinorError): string {
  if (error.text !== errorRow(error.reason).text) return error.text;
  if (error.reason === "AGENT_ERROR") return `agent error: ${error.message}`;
  const tool = error.metadata["tool"];
  return error.reason === "TOOL_BLOCKED" && tool !== undefined ? `tool blocked: ${tool}` : error.text;
}

/** What an answer in JSON is written to. */
export type JsonResponse = Pick<
  ServerResponse,
  "headersSent" | "writableEnded" | "closed" | "writeHead" | "end"
>;

/** Answers with an error. Does nothing if the response has begun or the client has left. */
export function writeError(res: JsonResponse, error: ValinorError): void {
  const row = errorRow(error.reason);
  const headers: Record<string, string> = {};
  const { retryMs } = error;
  if (retryMs !== undefined) headers["retry-after"] = String(Math.max(1, Math.ceil(retryMs / 1000)));
  if (error.reason === "UNAUTHENTICATED") headers["www-authenticate"] = "Bearer";
  writeJson(res, row.status, restError(error), headers);
}

/** Answers with JSON, ended by a newline. Does nothing if the response has begun or the client has left. */
export function writeJson(
  res: JsonResponse,
  status: number,
  value: object,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (res.headersSent || res.writableEnded || res.closed) return;
  const body = `${JSON.stringify(value)}\n`;
  res.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    ...headers,
  });
  res.end(body);
}
