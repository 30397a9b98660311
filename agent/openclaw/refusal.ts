import { Failure } from "@valinor/protocol";
import { type AnswerBody, readText } from "./answer/answer.ts";
import { describeBody } from "./describe.ts";
import type { HttpAnswer } from "./http.ts";

/** Largest body of a failed answer that is looked at. */
const ERROR_BODY_BYTES = 64 * 1024;
/** Statuses that may mean that the URL is wrong. */
const isMisplaced = (status: number) => (status >= 300 && status < 400) || status === 404 || status === 405;

/** The text of a short body; empty if it can't be read, for then its answer's status says all there is. */
export async function readWords(answer: HttpAnswer): Promise<string> {
  try {
    return await readText(bodyOf(answer), ERROR_BODY_BYTES);
  } catch {
    return ""; // the caller tells the status
  }
}

/** The same error without the token, which a server that was told it may repeat: clients must not see it. */
export function withoutToken(error: unknown, token: string | undefined): unknown {
  if (token === undefined || !(error instanceof Failure) || !error.message.includes(token)) return error;
  return new Failure(error.code, error.message.replaceAll(token, "[token]"), error.cause);
}

/** The body of an answer, with what its headers say of it. */
export function bodyOf({ headers, body }: HttpAnswer): AnswerBody {
  return { body, type: textOf(headers["content-type"]), encoding: textOf(headers["content-encoding"]) };
}

/** What an answer with another status than 2xx says: the status, the path if that helps, and the server's words. */
export async function refusalOf(answer: HttpAnswer, path: string): Promise<Failure> {
  const { statusCode, headers } = answer;
  const words = await readWords(answer);
  const where = isMisplaced(statusCode) ? ` to POST ${path}` : "";
  const said = describeBody(words) + retryAfter(textOf(headers["retry-after"]));
  return new Failure("openclaw_error", `OpenClaw answered ${statusCode}${where}${said}`);
}

const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** When the server says that it will have time again. */
function retryAfter(header: string): string {
  if (/^\d{1,6}(?:\.\d{1,3})?$/.test(header)) return `; it asks to wait ${Number(header)} s`;
  const date = HTTP_DATE.test(header) ? Date.parse(header) : NaN;
  return Number.isNaN(date) ? "" : `; it asks to wait until ${new Date(date).toISOString()}`;
}

function textOf(header: string | string[] | undefined): string {
  return Array.isArray(header) ? header.join(",") : (header ?? "");
}
