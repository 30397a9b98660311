import { resolve } from "node:path";
import { z } from "zod";
import type { StoreLocation } from "../store/open.ts";

/** `store.url` as the program works with it, for zod's transform. Issues never repeat the URL. */
export function readStoreUrl(text: string, context: z.RefinementCtx): StoreLocation {
  if (/^postgres(ql)?:/i.test(text)) {
    const url = URL.parse(text);
    if (url !== null && url.pathname.length > 1) return { kind: "postgres", url: text };
    context.addIssue(
      "must be postgres://USER:PASSWORD@HOST:PORT/DATABASE, with what is special in it %-encoded",
    );
    return z.NEVER;
  }
  // As other programs write it, sqlite:///PATH is the absolute path; sqlite://NAME would be a host.
  const path = /^sqlite:(?:\/\/(?=\/))?((?!\/\/).+)$/.exec(text)?.[1];
  if (path === undefined) {
    context.addIssue("must be sqlite:PATH, sqlite::memory: or postgres://USER:PASSWORD@HOST:PORT/DATABASE");
    return z.NEVER;
  }
  return { kind: "sqlite", path: path === ":memory:" ? path : resolve(path) };
}
