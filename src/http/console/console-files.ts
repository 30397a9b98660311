import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { gzipSync } from "node:zlib";

/** A file of the console, ready to be sent. */
export class ConsoleFile {
  readonly type: string;
  readonly body: Buffer;
  /** Of the body, with its quotes. */
  readonly etag: string;
  /** True if the name changes with the content. */
  readonly immutable: boolean;
  #gzip: Buffer | undefined;

  constructor(body: Buffer, type: string, immutable: boolean) {
    this.body = body;
    this.type = type;
    this.immutable = immutable;
    this.etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 27)}"`;
  }

  /** The body compressed, if that makes it smaller. Made when it is first wanted: a server that shows nobody its console starts without. */
  get gzip(): Buffer | undefined {
    this.#gzip ??= gzipSync(this.body, { level: 9 });
    return this.#gzip.length < this.body.length ? this.#gzip : undefined;
  }
}

/** Types of the files that a build makes; others are not served. */
const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
};

/** Bytes that all files together may have; a console is far smaller. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads the files of a folder by their path in it, with forward slashes. Undefined if it has no index.html. Throws if they
 * are larger than 16 MiB together, which is no console.
 */
export function loadConsoleFiles(dir: string): ReadonlyMap<string, ConsoleFile> | undefined {
  if (!existsSync(join(dir, "index.html"))) return undefined;
  const files = new Map<string, ConsoleFile>();
  let left = MAX_BYTES;
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const type = types[extname(entry.name)];
    if (!entry.isFile() || type === undefined) continue;
    const path = join(entry.parentPath, entry.name);
    const body = readFileSync(path);
    left -= body.length;
    if (left < 0)
      throw new Error(`${dir} has more than ${MAX_BYTES} bytes: that is not a build of the console`);
    const name = relative(dir, path).split(sep).join("/");
    files.set(name, new ConsoleFile(body, type, name.startsWith("assets/")));
  }
  return files;
}
