import type { IncomingMessage } from "node:http";

/** An absolute-form target (RFC 9112 section 3.2.2): what clients send to a proxy, and every server takes. */
const ABSOLUTE = /^https?:\/\/([^/?#]*)(.*)$/i;

/**
 * Brings a request's target into the one form that all routes know, before anything looks at it. An absolute-form target becomes
 * its path, and its authority takes the place of the Host header, which RFC 9112 tells servers to ignore then: every rule about hosts
 * holds for the name that the target has. Percent-encoded letters, digits and `-._~` in the path are decoded: RFC 3986 section
 * 6.2.2.2 says they mean the same. Nothing else is decoded, and slashes stay as they are.
 */
export function normalizeTarget(req: IncomingMessage): void {
  const target = req.url ?? "/";
  if (target.startsWith("/") && !target.includes("%")) return;
  const absolute = req.httpVersionMajor < 2 ? ABSOLUTE.exec(target) : null;
  if (absolute !== null) req.headers.host = absolute[1] ?? "";
  const rest = absolute?.[2] ?? target;
  const local = rest === "" || rest.startsWith("?") ? `/${rest}` : rest;
  const mark = local.indexOf("?");
  const end = mark < 0 ? local.length : mark;
  req.url = local.slice(0, end).replace(ESCAPE, decodeUnreserved) + local.slice(end);
}

const ESCAPE = /%[0-9a-f]{2}/gi;
const UNRESERVED = /[A-Za-z0-9._~-]/;

function decodeUnreserved(escape: string): string {
  const character = String.fromCharCode(parseInt(escape.slice(1), 16));
  return UNRESERVED.test(character) ? character : escape;
}
