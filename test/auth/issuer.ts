import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { once } from "node:events";
import { exportJWK, exportSPKI, generateKeyPair, type JWK, type JWTPayload, SignJWT } from "jose";
import type { Issuer } from "../../src/auth/jwt.ts";
import { afterFile } from "../helpers/cleanup.ts";

/** What a token is to be; what is absent is good. */
export interface TokenWish {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly issuer?: string;
  readonly audience?: string;
  /** Seconds from now. */
  readonly expiresIn?: number | undefined;
  readonly notBeforeIn?: number;
  /** Sign with this key of the issuer; default the first. */
  readonly key?: string;
  /** What the header says, if that is not the key's own name; undefined: nothing. */
  readonly kid?: string | undefined;
}

/** An issuer of tokens with its key set at an address of loopback. */
export interface TestIssuer {
  readonly issuer: Issuer;
  /** How often its keys were asked for. */
  fetches(): number;
  /** Makes another key, and publishes it. */
  addKey(kid: string): Promise<void>;
  /** Answers this status instead of the keys; 200: the keys again. */
  answer(status: number, body?: string): void;
  token(wish?: TokenWish): Promise<string>;
  /** The first key's public half in PEM: what an attacker knows. */
  publicPem(): Promise<string>;
}

/** Starts an issuer with the key `k1`; it ends after the file's last test. */
export async function startIssuer(name = "https://issuer.test"): Promise<TestIssuer> {
  const keys = new Map<string, Awaited<ReturnType<typeof generateKeyPair>>>();
  const published: JWK[] = [];
  let fetches = 0;
  let status = 200;
  let text: string | undefined;
  const server = createServer((_req, res) => {
    fetches++;
    res
      .writeHead(status, { "content-type": "application/json" })
      .end(text ?? JSON.stringify({ keys: published }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  afterFile(() => void server.close());
  const { port } = server.address() as AddressInfo;

  async function addKey(kid: string): Promise<void> {
    const pair = await generateKeyPair("ES256");
    keys.set(kid, pair);
    published.push({ ...(await exportJWK(pair.publicKey)), kid, alg: "ES256", use: "sig" });
  }
  await addKey("k1");

  return {
    issuer: {
      issuer: name,
      audience: ["valinor"],
      jwksUrl: `http://127.0.0.1:${port}/jwks.json`,
      algorithms: ["ES256", "RS256"],
      tenantClaim: "tenant",
      subjectClaim: "sub",
      rolesClaim: "roles",
    },
    fetches: () => fetches,
    addKey,
    answer(next, body) {
      status = next;
      text = body;
    },
    async token(wish = {}) {
      const { key = "k1", expiresIn = 3600 } = wish;
      const pair = keys.get(key);
      if (pair === undefined) throw new Error(`the issuer has no key ${key}`);
      const seconds = Math.floor(Date.now() / 1000);
      const kid = "kid" in wish ? wish.kid : key;
      const token = new SignJWT({ tenant: "acme", sub: "ann", roles: ["operator"], ...wish.claims })
        .setProtectedHeader({ alg: "ES256", ...(kid === undefined ? {} : { kid }) })
        .setIssuer(wish.issuer ?? name)
        .setAudience(wish.audience ?? "valinor");
      if (!("expiresIn" in wish) || wish.expiresIn !== undefined)
        token.setExpirationTime(seconds + expiresIn);
      if (wish.notBeforeIn !== undefined) token.setNotBefore(seconds + wish.notBeforeIn);
      return token.sign(pair.privateKey);
    },
    async publicPem() {
      const pair = keys.get("k1");
      if (pair === undefined) throw new Error("the issuer has no key");
      return exportSPKI(pair.publicKey);
    },
  };
}

/** A token without a signature, as `alg: none` has it, with claims that are good otherwise. */
export function unsignedToken(claims: JWTPayload): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "none" })}.${part(claims)}.`;
}

/** The same token with claims changed and the old signature. */
export function tampered(token: string, claims: JWTPayload): string {
  const [header = "", payload = "", signature = ""] = token.split(".");
  const old = JSON.parse(Buffer.from(payload, "base64url").toString()) as JWTPayload;
  return `${header}.${Buffer.from(JSON.stringify({ ...old, ...claims })).toString("base64url")}.${signature}`;
}
