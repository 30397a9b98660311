import {
  decodeJwt,
  errors,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
} from "jose";
import { ValinorError } from "../core/errors.ts";
import type { Caller, Permission } from "../core/types.ts";
import { fileKeys, remoteKeys } from "./jwks.ts";
import { defaultRoles, permissionsOf } from "./roles.ts";
import { isTenant } from "@valinor/protocol";

/** Whose tokens are taken, and what their claims mean. */
export interface Issuer {
  /** The `iss` claim, exactly. */
  readonly issuer: string;
  /** The `aud` claim must name one of these. */
  readonly audience: readonly string[];
  /** Where its keys are: one of the two. The file is read once, at the start. */
  readonly jwksUrl?: string | undefined;
  readonly jwksFile?: string | undefined;
  /** Algorithms that its tokens may be signed with; asymmetric ones alone. */
  readonly algorithms: readonly string[];
  /** Names of claims. If no claim has the whole name, dots are a path through objects (`realm_access.roles`). */
  readonly tenantClaim: string;
  readonly subjectClaim: string;
  /** A list of texts, or one text with spaces between the roles. */
  readonly rolesClaim: string;
  /** What its roles give; default: viewer, operator, admin and platform. */
  readonly roles?: Readonly<Record<string, readonly Permission[]>> | undefined;
}

/** Key sets by the address that they are fetched from: kept when issuers are read again, since the address may not answer just then. */
export type RemoteKeySets = Map<string, JWTVerifyGetKey>;

/** Makes a token's caller. Rejects with UNAUTHENTICATED, or AUTH_UNAVAILABLE if the issuer's keys can't be fetched. */
export type VerifyToken = (token: string) => Promise<Caller>;

/** Clocks may differ by this much. */
const TOLERANCE_SECS = 30;
const MAX_SUBJECT = 256;
/** Keys of one algorithm that a token without a `kid` is tried with; each costs a signature's check. */
const MAX_KEYS = 8;

/**
 * Makes the check of tokens. Throws Error if an issuer is named twice, allows an algorithm that is not asymmetric, or its file
 * can't be read. `now`: milliseconds; `remote`: key sets of addresses, which are used again and added to.
 */
export function createTokenVerifier(
  issuers: readonly Issuer[],
  now: () => number,
  remote: RemoteKeySets = new Map(),
): VerifyToken {
  const verifiers = new Map<string, VerifyToken>();
  for (const issuer of issuers) {
    if (verifiers.has(issuer.issuer)) throw new Error(`the issuer ${issuer.issuer} is configured twice`);
    verifiers.set(issuer.issuer, createVerifier(issuer, now, remote));
  }
  return async (token) => {
    const verify = verifiers.get(claimedIssuer(token));
    if (verify === undefined) throw bad("this server does not accept tokens of that issuer");
    return verify(token);
  };
}

/** The issuer that a token says it is of, before anything of it is believed. Throws UNAUTHENTICATED. */
export function claimedIssuer(token: string): string {
  let claims: JWTPayload;
  try {
    claims = decodeJwt(token);
  } catch {
    throw bad("the credential is malformed: neither a token nor an API key");
  }
  if (typeof claims.iss !== "string") throw bad("the token names no issuer");
  return claims.iss;
}

function createVerifier(issuer: Issuer, now: () => number, remote: RemoteKeySets): VerifyToken {
  const { algorithms } = issuer;
  const weak = algorithms.find((name) => !/^(?:(?:RS|PS|ES)(?:256|384|512)|EdDSA|Ed25519)$/.test(name));
  if (weak !== undefined || algorithms.length === 0)
    throw new Error(`the issuer ${issuer.issuer} needs asymmetric algorithms: ${weak ?? "none"} is not one`);
  const keys = keysOf(issuer, remote);
  const options = {
    issuer: issuer.issuer,
    audience: [...issuer.audience],
    algorithms: [...algorithms],
    clockTolerance: TOLERANCE_SECS,
    requiredClaims: ["exp"],
  };
  return async (token) => {
    let claims: JWTPayload;
    try {
      claims = await verified(token, keys, { ...options, currentDate: new Date(now()) });
    } catch (error) {
      throw explain(error);
    }
    return callerOf(issuer, claims, now);
  };
}

/**
 * The claims of a token that one of the keys signed. A token need not name its key: while keys are rotated, an algorithm has two of them,
 * and then each is tried, up to a bound. Rejects with an error of the library.
 */
async function verified(
  token: string,
  keys: JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
    let tried = 0;
    for await (const key of error) {
      if (++tried > MAX_KEYS) break;
      try {
        return (await jwtVerify(token, key, options)).payload;
      } catch (refused) {
        if (!(refused instanceof errors.JWSSignatureVerificationFailed)) throw refused;
      }
    }
    throw new errors.JWSSignatureVerificationFailed();
  }
}

function keysOf({ issuer, jwksUrl, jwksFile }: Issuer, remote: RemoteKeySets): JWTVerifyGetKey {
  if (jwksUrl !== undefined) {
    const keys = remote.get(jwksUrl) ?? remoteKeys(jwksUrl);
    remote.set(jwksUrl, keys);
    return keys;
  }
  if (jwksFile !== undefined) return fileKeys(jwksFile);
  throw new Error(`the issuer ${issuer} needs jwks_url or jwks_file`);
}

function callerOf(issuer: Issuer, claims: JWTPayload, now: () => number): Caller {
  const tenant = claimOf(claims, issuer.tenantClaim);
  if (typeof tenant !== "string" || !isTenant(tenant))
    throw bad(`the token's claim ${issuer.tenantClaim} names no tenant`);
  const subject = claimOf(claims, issuer.subjectClaim);
  if (typeof subject !== "string" || subject === "" || subject.length > MAX_SUBJECT)
    throw bad(`the token's claim ${issuer.subjectClaim} names no subject`);
  const end = ((claims.exp ?? 0) + TOLERANCE_SECS) * 1000;
  return {
    tenant,
    subject,
    permissions: permissionsOf(rolesIn(claimOf(claims, issuer.rolesClaim)), issuer.roles ?? defaultRoles),
    credential: `jwt:${issuer.issuer}`,
    recheck: () => (now() < end ? Promise.resolve() : Promise.reject(bad("the token has expired"))),
  };
}

function claimOf(claims: JWTPayload, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

function rolesIn(claim: unknown): string[] {
  if (typeof claim === "string") return claim.split(" ");
  return Array.isArray(claim) ? claim.filter((role) => typeof role === "string") : [];
}

const claimFaults: Readonly<Record<string, string>> = {
  aud: "the token is for another audience",
  iss: "this server does not accept tokens of that issuer",
  nbf: "the token is not valid yet",
  exp: "the token has no time of expiry",
};

/** Why a token is not good, without a word of the token. */
function explain(error: unknown): ValinorError {
  if (error instanceof ValinorError) return error;
  if (error instanceof errors.JWTExpired) return bad("the token has expired");
  if (error instanceof errors.JWTClaimValidationFailed)
    return bad(claimFaults[error.claim] ?? "a claim of the token is not valid");
  if (error instanceof errors.JWKSNoMatchingKey) return bad("the token is signed with an unknown key");
  if (error instanceof errors.JWSSignatureVerificationFailed) return bad("the token's signature is wrong");
  if (error instanceof errors.JOSEAlgNotAllowed)
    return bad("the token is signed with an algorithm that its issuer may not use");
  if (error instanceof errors.JOSEError) return bad("the token is malformed");
  return new ValinorError("INTERNAL", "the token could not be checked", { cause: error });
}

function bad(message: string): ValinorError {
  return new ValinorError("UNAUTHENTICATED", message);
}
