import { join } from "node:path";
import type { DescMethod, JsonValue } from "@bufbuild/protobuf";
import { create, fromJson, toJson } from "@bufbuild/protobuf";
import { Code, ConnectError, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { SignJWT } from "jose";
import { pino } from "pino";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { makeApiKey } from "../../src/auth/api-key.ts";
import { defaultRoles } from "../../src/auth/roles.ts";
import { loadConfig } from "../../src/config.ts";
import { startServer } from "../../src/server.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import type { AuditEntry } from "../../src/store/audit.ts";
import type { Store } from "../../src/store/store.ts";
import { forgedKey } from "../auth/forged.ts";
import { startIssuer, tampered, type TestIssuer, type TokenWish, unsignedToken } from "../auth/issuer.ts";
import { afterFile, tempDir } from "../helpers/cleanup.ts";
import type { Role } from "./access-rows.ts";

/** The tenant that the tests' callers are of, and another one. */
export const OWN = "acme";
/** See OWN. */
export const OTHER = "blue";

const actor = { subject: "test", credential: "cli" };

/** A server with authentication, its store as another process has it, and credentials for it. */
export interface AccessWorld {
  readonly url: string;
  readonly store: Store;
  /** Authorization headers by what they are: each is good. */
  good(role: Role, tenant?: string): Promise<Record<"token" | "key", string>>;
  /** Authorization headers by what is wrong with them; each is an admin's otherwise. */
  bad(): Promise<Record<string, string | undefined>>;
  /** A new key of the tests' tenant. */
  key(role: Role): Promise<{ id: string; text: string }>;
  /** All of the audit log. */
  audit(): Promise<AuditEntry[]>;
  /** A new agent that does not run. */
  addAgent(tenant: string): Promise<string>;
}

/** Starts the server with an issuer and API keys; it ends after the file's last test. */
export async function startAccessWorld(): Promise<AccessWorld> {
  const issuer = await startIssuer();
  const path = join(tempDir(), "valinor.db");
  const flags = { server: { port: 0 }, store: { url: `sqlite:${path}` } };
  const config = loadConfig({ env: {}, flags, mode: "serve" });
  const server = await startServer(
    {
      ...config,
      server: { ...config.server, drainMs: 0 },
      auth: { apiKeys: true, issuers: [settingOf(issuer)], required: true },
    },
    { logger: pino({ level: "silent" }) },
  );
  afterFile(() => server.close());
  const store = await openSqliteStore(path);
  afterFile(() => store.close());
  let agents = 0;

  const addKey = async (role: Role, tenant = OWN, expireTime?: Date) => {
    const { id, text, sha256 } = makeApiKey();
    const permissions = defaultRoles[role] ?? [];
    await store.createKey({ id, tenant, subject: "ci", permissions, sha256, label: "", expireTime }, actor);
    return { id, text };
  };
  return {
    url: server.url,
    store,
    key: (role) => addKey(role),
    async audit() {
      const entries: AuditEntry[] = [];
      for (let more = true; more;) {
        const page = await store.listAudit({ after: entries.at(-1)?.sequence ?? 0, limit: 500 });
        entries.push(...page);
        more = page.length > 0;
      }
      return entries;
    },
    async good(role, tenant = OWN) {
      const token = await issuer.token({ claims: { tenant, roles: [role] } });
      return { token: `Bearer ${token}`, key: `Bearer ${(await addKey(role, tenant)).text}` };
    },
    async bad() {
      const revoked = await addKey("admin");
      await store.revokeKey(revoked.id, actor);
      const expired = await addKey("admin", OWN, new Date(Date.now() - 1_000));
      const { id, text } = await addKey("admin");
      const token = (wish: TokenWish = {}) =>
        issuer.token({ ...wish, claims: { roles: ["admin"], ...wish.claims } });
      const credentials = {
        "expired token": await token({ expiresIn: -60 }),
        "token that is not valid yet": await token({ notBeforeIn: 600 }),
        "token for another audience": await token({ audience: "elsewhere" }),
        "token of another issuer": await token({ issuer: "https://evil.test" }),
        "token without a signature": unsignedToken(adminClaims(issuer)),
        "token signed with the public key as a secret": await hmacToken(issuer),
        "token that was changed": tampered(
          await token({ claims: { roles: ["viewer"] } }),
          adminClaims(issuer),
        ),
        "token of an unknown key": await token({ kid: "made-up" }),
        "revoked key": revoked.text,
        "expired key": expired.text,
        "key with a wrong checksum": text.slice(0, -1) + (text.endsWith("0") ? "1" : "0"),
        "key of an unknown id": makeApiKey().text,
        "right id with a wrong secret": forgedKey(id),
        "key and more": `${text}x`,
        nonsense: "nonsense",
      };
      const bearers = Object.entries(credentials).map(([name, credential]) => [name, `Bearer ${credential}`]);
      const basic = `Basic ${Buffer.from(`admin:${text}`).toString("base64")}`;
      return { "no credential": undefined, ...Object.fromEntries(bearers), Basic: basic, "bare key": text };
    },
    async addAgent(tenant) {
      const id = `agent-${++agents}`;
      const token = await issuer.token({ claims: { tenant, roles: ["admin"] } });
      const response = await fetch(`${server.url}/valinor.v1.AgentRegistry/CreateAgent`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ agent: { id, status: "AGENT_STATUS_STOPPED" } }),
      });
      if (!response.ok) throw new Error(`agent ${id} was not created: ${await response.text()}`);
      return id;
    },
  };
}

function settingOf({ issuer }: TestIssuer) {
  return {
    ...issuer,
    audience: [...issuer.audience],
    algorithms: ["ES256" as const],
    jwksUrl: issuer.jwksUrl,
    jwksFile: undefined,
    roles: undefined,
  };
}

function adminClaims({ issuer }: TestIssuer) {
  const exp = Math.floor(Date.now() / 1000) + 600;
  return { iss: issuer.issuer, aud: "valinor", sub: "ann", tenant: OWN, roles: ["admin"], exp };
}

async function hmacToken(issuer: TestIssuer): Promise<string> {
  const secret = new TextEncoder().encode(await issuer.publicPem());
  return new SignJWT(adminClaims(issuer)).setProtectedHeader({ alg: "HS256", kid: "k1" }).sign(secret);
}

/** What came of a call: `ok` with the answer, or the error as the client sees it. */
export interface Outcome {
  /** `ok`, or Connect's name of the code in lower case, or the HTTP status. */
  readonly result: string;
  readonly reason: string;
  /** All that the client can read of it, as JSON. */
  readonly body: string;
}

/** What RPCs can be spoken in. */
export type Protocol = "Connect" | "gRPC" | "gRPC-Web";

/** Makes the transport of a protocol; gRPC over HTTP/2, the others over HTTP/1.1. */
export function transportOf(protocol: Protocol, baseUrl: string): Transport {
  switch (protocol) {
    case "Connect":
      return createConnectTransport({ baseUrl, httpVersion: "1.1" });
    case "gRPC":
      return createGrpcTransport({ baseUrl });
    case "gRPC-Web":
      return createGrpcWebTransport({ baseUrl, httpVersion: "1.1" });
  }
}

/** Makes an RPC, and reads its answer: the first 5 messages of a stream, to a snapshot's end. */
export async function callRpc(
  transport: Transport | undefined,
  method: DescMethod,
  ask: object,
  headers: Record<string, string>,
): Promise<Outcome> {
  if (transport === undefined) throw new Error("there is no transport yet");
  const input = create(method.input, fromJson(method.input, ask as JsonValue));
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(10_000)]);
  try {
    if (method.methodKind === "unary") {
      const { message } = await transport.unary(
        method as DescMethod & { methodKind: "unary" },
        signal,
        undefined,
        headers,
        input,
      );
      return {
        result: "ok",
        reason: "",
        body: JSON.stringify(toJson(method.output, message)),
      };
    }
    const { message: messages } = await transport.stream(
      method as DescMethod & { methodKind: "server_streaming" },
      signal,
      undefined,
      headers,
      (async function* () {
        yield input;
      })(),
    );
    const read: unknown[] = [];
    for await (const message of messages) {
      const json = toJson(method.output, message);
      read.push(json);
      if (JSON.stringify(json).includes("snapshotComplete")) break;
    }
    return { result: "ok", reason: "", body: JSON.stringify(read) };
  } catch (error) {
    return outcomeOf(ConnectError.from(error));
  } finally {
    stop.abort();
  }
}

function outcomeOf(error: ConnectError): Outcome {
  const [info] = error.findDetails(ErrorInfoSchema);
  const { code, rawMessage, details } = error;
  return {
    result: Code[code].replaceAll(/(?<!^)[A-Z]/g, "_$&").toLowerCase(),
    reason: info?.reason ?? "",
    body: JSON.stringify({ code, rawMessage, info, details: details.length }),
  };
}

/** Asks a REST route. */
export async function callRoute(
  url: string,
  route: string,
  agentId: string,
  ask: object,
  headers: Record<string, string>,
): Promise<Outcome> {
  const [method = "", path = ""] = route.split(" ");
  const query = path.endsWith("/stream") && method === "GET" ? "?message=%7B%22content%22%3A%22hi%22%7D" : "";
  const response = await fetch(url + path.replace(":id", agentId) + query, {
    method,
    headers: { "content-type": "application/json", ...headers },
    ...(method === "GET" ? {} : { body: JSON.stringify(ask) }),
    signal: AbortSignal.timeout(10_000),
  });
  const body = await response.text();
  const reason = /"reason":"(\w+)"/.exec(body)?.[1] ?? "";
  return { result: response.ok ? "ok" : String(response.status), reason, body };
}
