import findMyWay from "find-my-way";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Caller, Core } from "../core/types.ts";
import type { BodyBounds } from "./body.ts";
import type { Client } from "./client.ts";

/** What a route needs to answer a request. */
export interface RouteContext {
  readonly core: Core;
  readonly caller: Caller;
  readonly agentId: string;
  readonly query: ReadonlyMap<string, string>;
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly client: Client;
  readonly options: { readonly body: BodyBounds; readonly clientStallMs: number };
}

/** Answers a request. What it rejects with becomes the JSON error, where the response has not begun. */
export type Route = (context: RouteContext) => Promise<void>;

/** What a method and path lead to. */
export type RouteMatch =
  | { readonly kind: "route"; readonly route: Route; readonly agentId: string | undefined }
  /** The path exists, with other methods. */
  | { readonly kind: "wrong_method"; readonly allow: string }
  /** The path's percent-encoding is broken. */
  | { readonly kind: "malformed" }
  | { readonly kind: "none" };

/** A row of the route table; `path` comes after the prefix. */
export interface RouteRow {
  readonly methods: readonly ("GET" | "HEAD" | "POST")[];
  readonly path: string;
  readonly route: Route;
}

/** Every route is served at its path and under this prefix. */
const PREFIX = "/api/v1";

/** Makes the lookup of a route table. */
export function createRouter(rows: readonly RouteRow[]): (method: string, path: string) => RouteMatch {
  // Agent ids are bounded by the core's rules; the router's own bound would make a long one an unknown route.
  const router = findMyWay({ maxParamLength: 4096, onBadUrl: unused });
  for (const { methods, path, route } of rows) {
    for (const full of [path, PREFIX + path]) router.on([...methods], full, unused, route);
  }
  const find = (method: string, path: string) => {
    const found = router.find(method as "GET", path);
    return found === null ? undefined : { route: found.store as Route | null, agentId: found.params["id"] };
  };
  return (method, path) => {
    const found = find(method, path);
    if (found !== undefined) {
      const { route, agentId } = found;
      return route === null ? { kind: "malformed" } : { kind: "route", route, agentId };
    }
    const allow = ["GET", "HEAD", "POST"].filter((other) => find(other, path) !== undefined);
    return allow.length === 0 ? { kind: "none" } : { kind: "wrong_method", allow: allow.join(", ") };
  };
}

function unused(): void {}
