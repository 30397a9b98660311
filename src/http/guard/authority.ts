import type { IncomingMessage } from "node:http";
import { type HostName, parseHost } from "./origins.ts";

/** Names that were asked for lately, so that each is looked at once; made-up ones drive out no more than a few others. */
const known = new Map<string, HostName | undefined>();
const MAX_KNOWN = 64;

/**
 * Whom a request is for, by its Host header or HTTP/2's `:authority`. Undefined if it names nobody, as HTTP/1.0 may; `malformed` if the
 * name is no authority (RFC 9110 section 7.2), there are two of them, or HTTP/1.1 has none.
 */
export function hostOf(
  req: Pick<IncomingMessage, "headers" | "rawHeaders" | "httpVersion">,
): HostName | "malformed" | undefined {
  const { host } = req.headers;
  const authority = req.headers[":authority"];
  if (countHosts(req.rawHeaders) > 1) return "malformed";
  if (typeof authority === "string") {
    if (host !== undefined && host !== authority) return "malformed";
    return lookAt(authority);
  }
  if (host === undefined) return req.httpVersion === "1.1" ? "malformed" : undefined;
  return lookAt(host);
}

function lookAt(text: string): HostName | "malformed" {
  if (known.has(text)) return known.get(text) ?? "malformed";
  const host = judge(text);
  if (known.size >= MAX_KNOWN) known.delete(known.keys().next().value ?? "");
  known.set(text, host);
  return host ?? "malformed";
}

/** What has the form of an authority and still is no part of a URL, such as 127.0.0.256 or a port over 65535, would fail later. */
function judge(text: string): HostName | undefined {
  const host = parseHost(text);
  return host !== undefined && URL.canParse(`http://${text}`) ? host : undefined;
}

/** Node keeps the first of several Host headers and says nothing of the others: they may have named somebody else to a proxy. */
function countHosts(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") count++;
  }
  return count;
}
