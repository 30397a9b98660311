import type { IncomingMessage, ServerResponse } from "node:http";
import { type ConsoleFile, loadConsoleFiles } from "./console-files.ts";
import { splitTarget } from "../routing/query.ts";

/** Where the console's built files are. */
export interface ConsoleOptions {
  /** Folder with index.html and assets/, as scripts/web/build.ts makes it. */
  readonly dir: string;
}

/** Answers a request and says true; false if the path is not the console's and nothing was done. */
export type ConsoleHandler = (req: IncomingMessage, res: ServerResponse) => boolean;

/** Path that the console is served under. */
const BASE = "/console/";

/**
 * What the page may do: its own script, styles and calls, and nothing else. Untrusted text that became markup by some mistake
 * could neither run nor load anything, nor send anything away.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const securityHeaders = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
} as const;

const NOT_BUILT = `The console is not built. Build it, and load this page again:

  node scripts/web/build.ts
`;

/**
 * Makes the handler of `/console/`, to which `/` leads: the page, and its assets, which may be cached for ever as their names change with their
 * content. Files are read once, when they are first there, and served from memory: no path of a request reaches the disk. They need
 * no credential, as there is nothing of any tenant in them.
 */
export function createConsoleHandler(options: ConsoleOptions): ConsoleHandler {
  let files = loadConsoleFiles(options.dir);
  return (req, res) => {
    const { path, query } = splitTarget(req.url ?? "/");
    if (path === "/" && req.method === "GET") {
      // Whoever opens the server's address in a browser looks for the page.
      res.writeHead(302, { location: BASE, "content-length": 0 }).end();
      return true;
    }
    if (path !== "/console" && !path.startsWith(BASE)) return false;
    for (const [name, value] of Object.entries(securityHeaders)) res.setHeader(name, value);
    if (req.method !== "GET" && req.method !== "HEAD")
      answerText(res, 405, "use GET\n", { allow: "GET, HEAD" });
    else if (path === "/console") redirect(res, query);
    else {
      files ??= loadConsoleFiles(options.dir);
      if (files === undefined) answerText(res, 503, NOT_BUILT);
      else answerFile(req, res, files.get(path.slice(BASE.length) || "index.html"));
    }
    return true;
  };
}

function redirect(res: ServerResponse, query: string): void {
  res.writeHead(308, { location: query === "" ? BASE : `${BASE}?${query}`, "content-length": 0 }).end();
}

function answerText(
  res: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const type = { "content-type": "text/plain; charset=utf-8", "cache-control": "no-store" };
  res.writeHead(status, { ...type, ...headers }).end(text);
}

function answerFile(req: IncomingMessage, res: ServerResponse, file: ConsoleFile | undefined): void {
  if (file === undefined) return answerText(res, 404, "there is no such file\n");
  const gzip = acceptsGzip(req.headers["accept-encoding"]) ? file.gzip : undefined;
  const body = gzip ?? file.body;
  const headers = {
    etag: gzip !== undefined ? file.etag.replace(/"$/, '-gz"') : file.etag,
    vary: "Accept-Encoding",
    "cache-control": file.immutable ? "public, max-age=31536000, immutable" : "no-cache",
  };
  if (matches(req.headers["if-none-match"], headers.etag)) return void res.writeHead(304, headers).end();
  res.writeHead(200, {
    ...headers,
    "content-type": file.type,
    "content-length": body.length,
    ...(gzip !== undefined ? { "content-encoding": "gzip" } : {}),
  });
  res.end(req.method === "HEAD" ? undefined : body);
}

function acceptsGzip(header: string | string[] | undefined): boolean {
  return String(header ?? "")
    .split(",")
    .some((entry) => /^\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*$).*)?$/i.test(entry));
}

function matches(header: string | undefined, etag: string): boolean {
  return header !== undefined && header.split(",").some((entry) => entry.trim().replace(/^W\//, "") === etag);
}
