import type { IncomingHttpHeaders } from "node:http2";
import type { Guard, GuardedResponse } from "./guard.ts";

/**
 * The headers that the guard gives to the answer of a stream of HTTP/2 that it lets through; undefined if it would answer the request itself,
 * which it is to do then where it can.
 */
export function letThrough(
  guard: Guard,
  headers: IncomingHttpHeaders,
  rawHeaders: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const { ":path": url, ":method": method } = headers;
  const preview = new Preview();
  const request = { headers, rawHeaders: rawHeaders as string[], httpVersion: "2.0", url, method };
  return guard(request, preview as unknown as GuardedResponse) ? preview.headers : undefined;
}

/** An answer that goes nowhere. */
class Preview {
  readonly headers: Record<string, string> = {};
  readonly headersSent = false;
  readonly writableEnded = false;
  readonly closed = false;

  setHeader(name: string, value: string): this {
    this.headers[name] = value;
    return this;
  }

  writeHead(): this {
    return this;
  }

  end(): this {
    return this;
  }
}
