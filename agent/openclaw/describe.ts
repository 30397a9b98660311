import { isObject } from "../../src/wire/values.ts";

/** Longest text of OpenClaw's that is passed on. */
const TEXT_LENGTH = 500;

/** A URL, or a host with a port: where the guest's services are is nobody's business. */
const ADDRESS =
  /\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+|\b(?:localhost|\d{1,3}(?:\.\d{1,3}){3})(?::\d+)?\b|\[[0-9a-f:]+\](?::\d+)?/gi;

/** What OpenClaw says went wrong, for people: bounded, and without addresses. */
export function describeError(error: unknown): string {
  const said = isObject(error) ? (error["message"] ?? error["code"] ?? error["type"]) : error;
  if (typeof said !== "string" || said.trim() === "") return "no reason given";
  return said.slice(0, TEXT_LENGTH).replaceAll(ADDRESS, "[address]").toWellFormed();
}

/** What the body of a failed answer says, or nothing where it says nothing. */
export function describeBody(body: string): string {
  try {
    const value = JSON.parse(body) as unknown;
    const error = isObject(value) ? value["error"] : undefined;
    return error === undefined || error === null ? "" : `: ${describeError(error)}`;
  } catch {
    return "";
  }
}
