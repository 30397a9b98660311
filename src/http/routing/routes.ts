import findMyWay from "find-my-way";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ValinorError } from "../../core/errors.ts";
import type { Caller, Core } from "../../core/types.ts";
import type { BodyBounds } from "./body.ts";
import type { Client } from "../server/client.ts";

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
  /** Any thrown value as the error that the client is told; one that is the server's own fault is logged. */
  readonly errorOf: (thrown: unknown) => ValinorError;
}

/** Answers a request. What it rejects with becomes the JSON error, if the response has not begun. */
export type Route = (context: RouteContext) => Promise<void>;

/** Answers with an error; does nothing if the response has begun. */
export type Fail = (res: ServerResponse, error: ValinorError, req: IncomingMessage) => void;

/** What a method and path lead to. */
export type RouteMatch =
  | { readonly kind: "route"; readonly row: RouteRow; readonly agentId: string | undefined }
  /** The path exists, with other methods. */
  | { readonly kind: "wrong_method"; readonly allow: string }
  /** The path's percent-encoding is broken. */
  | { readonly kind: "malformed" }
  | { readonly kind: "none" };

/** A row of the route table. */
export interface RouteRow {
  readonly methods: readonly ("GET" | "HEAD" | "POST")[];
  readonly path: string;
  readonly route: Route;
  /** False: the route is served at its path alone, not under `/api/v1` as well. Default true. */
  readonly prefixed?: boolean;
  /** How errors are told; default: as REST does. */
  readonly fail?: Fail;
}

/** Routes are served at their path and under this prefix. */
const PREFIX = "/api/v1";

/** Makes the lookup of a route table. */
export function createRouter(rows: readonly RouteRow[]): (method: string, path: string) => RouteMatch {
  // Agent ids are bounded by the core's rules; the router's own bound would make a long one an unknown route.
  const router = findMyWay({ maxParamLength: 4096, onBadUrl: unused });
  for (const row of rows) {
    const { methods, path, prefixed = true } = row;
    for (const full of prefixed ? [path, PREFIX + path] : [path]) router.on([...methods], full, unused, row);
  }
  const find = (method: string, path: string) => {
    const found = router.find(method as "GET", path);
    return found === null ? undefined : { row: found.store as RouteRow | null, agentId: found.params["id"] };
  };
  return (method, path) => {
    const found = find(method, path);
    if (found !== undefined) {
      const { row, agentId } = found;
      return row === null ? { kind: "malformed" } : { kind: "route", row, agentId };
    }
    const allow = ["GET", "HEAD", "POST"].filter((other) => find(other, path) !== undefined);
    return allow.length === 0 ? { kind: "none" } : { kind: "wrong_method", allow: allow.join(", ") };
  };
}

function unused(): void {}
