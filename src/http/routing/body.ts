import type { IncomingMessage } from "node:http";
import { ValinorError } from "../../core/errors.ts";
import { readWhole } from "../../core/whole-body.ts";
import { parseExactly } from "../../core/config/json-check.ts";
import { prescan } from "@valinor/protocol";
import { defaultHttpLimits } from "../server/http-limits.ts";

/** A JSON object that came from a client; nothing of it is known. */
export type UnknownJson = { readonly [key: string]: unknown };

/** Bounds of a request body. */
export interface BodyBounds {
  readonly maxBytes: number;
  /** The whole body arrives within this time. */
  readonly timeoutMs: number;
}

/**
 * Reads a request's body as a JSON object. Rejects with INVALID_ARGUMENT if it is not an object, nests too deep or is compressed, with
 * REQUEST_TOO_LARGE over maxBytes (which are never exceeded in memory), with REQUEST_TIMEOUT
 * if it comes too slowly, with CLIENT_GONE if the client leaves.
 */
export async function readJsonObject(
  req: IncomingMessage,
  bounds: BodyBounds,
  rules: JsonRules = exact,
): Promise<UnknownJson> {
  return parseJsonObject(await readBody(req, bounds), rules);
}

function readBody(req: IncomingMessage, { maxBytes, timeoutMs }: BodyBounds): Promise<Buffer> {
  const encoding = req.headers["content-encoding"] ?? "identity";
  const length = Number(req.headers["content-length"] ?? 0);
  req.on("error", ignore);
  if (encoding.toLowerCase() !== "identity") return Promise.reject(discarding(req, compressed(encoding)));
  if (length > maxBytes) return Promise.reject(discarding(req, tooLarge(maxBytes)));
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      req.off("close", gone);
    };
    const gone = () => {
      stop();
      settle();
      reject(new ValinorError("CLIENT_GONE", "the client left while it was sending"));
    };
    const stop = readWhole(req, maxBytes, (bytes) => {
      settle();
      if (bytes === undefined) reject(discarding(req, tooLarge(maxBytes)));
      else resolve(bytes);
    });
    const timer = setTimeout(() => {
      stop();
      settle();
      reject(discarding(req, new ValinorError("REQUEST_TIMEOUT", "the body did not arrive in time")));
    }, timeoutMs);
    req.on("close", gone);
  });
}

/** The error of a request whose body is read no further. */
function discarding(req: IncomingMessage, error: ValinorError): ValinorError {
  discard(req);
  return error;
}

/**
 * Throws away what still comes, to a bound, so that the client gets to read its 413 before the connection ends. The listener's own
 * timeout ends a body that never does.
 */
function discard(req: IncomingMessage): void {
  let rest = defaultHttpLimits.lingerBytes;
  req.on("data", (part: Buffer) => {
    rest -= part.length;
    if (rest < 0) req.destroy();
  });
  req.resume();
}

function compressed(encoding: string): ValinorError {
  return invalid(`a body with the content-encoding ${encoding.slice(0, 64)} is not taken: send it as it is`);
}

function tooLarge(maxBytes: number): ValinorError {
  return new ValinorError("REQUEST_TOO_LARGE", `a request body holds at most ${maxBytes} bytes`);
}

/** How numbers are taken. */
export interface JsonRules {
  /** Whether a whole number that a double does not hold is refused; else it is rounded. */
  readonly wholeNumbers: boolean;
}

const exact: JsonRules = { wholeNumbers: true };

/** Parses a JSON object of a client. Throws INVALID_ARGUMENT, with the JSON pointer of what can't be kept as it is. */
export function parseJsonObject(bytes: Buffer, rules: JsonRules = exact): UnknownJson {
  const wrong = prescan(bytes, 0, bytes.length);
  if (wrong !== undefined) throw invalid(`the JSON has ${wrong}`);
  const { value, fault } = parse(bytes, rules);
  if (fault !== undefined) throw invalid(`${fault.pointer} ${fault.what}`);
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid("not a JSON object");
  return value as UnknownJson;
}

function parse(bytes: Buffer, rules: JsonRules): ReturnType<typeof parseExactly> {
  try {
    return parseExactly(utf8.decode(bytes), rules);
  } catch {
    throw invalid("not JSON in UTF-8");
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** An INVALID_ARGUMENT error; its REST text is `invalid request body` by default. */
export function invalid(message: string, text?: string): ValinorError {
  return new ValinorError("INVALID_ARGUMENT", message, text === undefined ? {} : { text });
}

/** A request that fails closes as well, which `gone` tells; without a listener the error would end the process. */
function ignore(): void {}
