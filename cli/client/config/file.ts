import { extname } from "node:path";
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { parseDocument, YAMLError } from "yaml";
import { CliError } from "../../terminal/errors.ts";
import { errorText } from "@valinor/protocol";

/**
 * The configuration that a text holds: JSON if the file's name ends in `.json`, else YAML, which includes JSON. Throws CliError,
 * exit code 2, that names the place of the fault: it must be one mapping, and hold only what JSON can hold.
 */
export function parseConfig(text: string, file: string): JsonObject {
  const name = file === "-" ? "stdin" : file;
  const value = extname(file).toLowerCase() === ".json" ? parseJson(text, name) : parseYaml(text, name);
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw wrong(`${name} must hold one mapping of settings, such as {"temperature": 0.2}`);
  const odd = findOdd(value, "");
  if (odd !== undefined) throw wrong(`${name}: ${odd || "/"} cannot be written as JSON`);
  return value as JsonObject;
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw wrong(`${name} is not JSON: ${errorText(error)}`, error);
  }
}

function parseYaml(text: string, name: string): unknown {
  // Warnings are errors: a tag that is not known would be dropped in silence.
  const document = parseDocument(text, { uniqueKeys: true, prettyErrors: true });
  const [first] = [...document.errors, ...document.warnings];
  if (first !== undefined) throw wrong(`${name}:${placeOf(first)} ${firstLine(first.message)}`, first);
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (error) {
    throw wrong(`${name}: ${errorText(error)}`, error);
  }
}

function placeOf(error: YAMLError): string {
  const [start] = error.linePos ?? [];
  return start === undefined ? "" : `${start.line}:${start.col}:`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}

/** JSON pointer of a value that JSON can't have; undefined if there is none. */
function findOdd(value: unknown, at: string): string | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : at;
  if (Array.isArray(value) || isPlain(value)) {
    for (const [key, inner] of Object.entries(value as Record<string, JsonValue>)) {
      const found = findOdd(inner, `${at}/${key}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  return at;
}

function isPlain(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function wrong(message: string, cause?: unknown): CliError {
  return new CliError(message, { cause, exitCode: 2 });
}
