import type { Audit } from "../core/audit/audit.ts";
import { localCaller } from "../core/access/authorize.ts";
import { toValinorError, ValinorError } from "../core/errors.ts";
import type { Caller } from "../core/types.ts";
import type { KeyStore } from "../store/keys.ts";
import { API_KEY_PREFIX, parseApiKey } from "./api-key.ts";
import { claimedIssuer, createTokenVerifier, type Issuer, type RemoteKeySets } from "./jwt.ts";
import { createKeyVerifier } from "./keys.ts";
import { isTenant } from "@valinor/protocol";

/**
 * Tells who calls, from the Authorization header (`Bearer` with a token or an API key) and the header `x-valinor-tenant`, which
 * names another tenant for a caller with `platform:admin`. Nothing else of a request counts, its query least of all.
 * Throws or rejects with UNAUTHENTICATED, PERMISSION_DENIED (another tenant without `platform:admin`), AUTH_UNAVAILABLE or
 * STORE_UNAVAILABLE.
 */
export type Identify = (
  authorization: string | undefined,
  tenant: string | undefined,
) => Caller | Promise<Caller>;

/** Knows who callers are. */
export interface Authenticator {
  readonly identify: Identify;
  /**
   * Takes other callers from now on; key sets of addresses that are named again are kept, those of files read again. Throws Error if an
   * issuer can't be used; nothing is changed then.
   */
  reload(sources: CredentialSources): void;
}

/** Whose credentials are taken. */
export interface CredentialSources {
  readonly issuers: readonly Issuer[];
  /** Whether API keys are taken. */
  readonly apiKeys: boolean;
}

/** What authentication needs. */
export interface AuthenticatorOptions extends CredentialSources {
  readonly store: Pick<KeyStore, "findKey" | "touchKey">;
  readonly audit: Pick<Audit, "note">;
  /** Told why the keys of an issuer can't be had; callers are only told that they can't. */
  readonly onKeysUnavailable: (error: unknown) => void;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** The header with which a caller of `platform:admin` names the tenant that it works on. */
export const TENANT_HEADER = "x-valinor-tenant";

/** Longest credential. */
const MAX_BYTES = 8 * 1024;

/**
 * Makes the check of credentials. Those that are refused are noted in the audit log as `denied`; requests without any are not.
 * Throws Error if an issuer can't be used.
 */
export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const now = options.now ?? Date.now;
  const verifyKey = createKeyVerifier(options.store, now);
  const remoteKeySets: RemoteKeySets = new Map();
  let { issuers, apiKeys } = options;
  let verifyToken = createTokenVerifier(issuers, now, remoteKeySets);

  async function verify(credential: string): Promise<Caller> {
    if (credential.length > MAX_BYTES) throw bad(`the credential is over ${MAX_BYTES} bytes`);
    if (!credential.startsWith(API_KEY_PREFIX)) return verifyToken(credential);
    if (!apiKeys) throw bad("this server accepts no API keys: send a token of one of its issuers");
    return verifyKey(credential);
  }

  return {
    async identify(authorization, tenant) {
      if (authorization === undefined || authorization === "")
        throw bad("there are no credentials: send the header Authorization: Bearer with a token or API key");
      let credential = "";
      let caller: Caller = { ...nobody };
      try {
        credential = bearerOf(authorization);
        caller = await verify(credential);
        return inTenant(caller, tenant);
      } catch (thrown) {
        const error = toValinorError(thrown);
        if (error.reason === "UNAUTHENTICATED")
          caller = { ...nobody, credential: nameOf(credential, issuers) };
        else if (error.reason !== "PERMISSION_DENIED") {
          if (error.reason === "AUTH_UNAVAILABLE") options.onKeysUnavailable(error.cause ?? error);
          throw error;
        }
        options.audit.note(caller, "denied", "", { why: error.message });
        throw error;
      }
    },
    reload(sources) {
      verifyToken = createTokenVerifier(sources.issuers, now, remoteKeySets);
      ({ issuers, apiKeys } = sources);
    },
  };
}

/** A caller that is not known: nothing that a refused credential says of itself can be trusted. */
const nobody: Caller = { tenant: "", subject: "", credential: "", permissions: new Set() };

/** For a server without authentication: every caller is the local one, who may name any tenant. */
export const localAuthenticator: Authenticator = {
  identify: (_authorization, tenant) => inTenant(localCaller, tenant),
  reload() {},
};

function bearerOf(authorization: string): string {
  const credential = /^Bearer +([\x21-\x7e]+)$/i.exec(authorization)?.[1];
  if (credential === undefined) throw bad("the Authorization header is not Bearer and a token or API key");
  return credential;
}

function inTenant(caller: Caller, tenant: string | undefined): Caller {
  if (tenant === undefined || tenant === caller.tenant) return caller;
  if (!caller.permissions.has("platform:admin"))
    throw new ValinorError("PERMISSION_DENIED", "another tenant needs the permission platform:admin");
  if (!isTenant(tenant)) throw new ValinorError("INVALID_ARGUMENT", `${TENANT_HEADER} names no tenant`);
  return { ...caller, tenant };
}

/** The public part of a credential that was refused, if it has one: a key's id, or an issuer that is known here. */
function nameOf(credential: string, issuers: readonly Issuer[]): string {
  if (credential === "" || credential.length > MAX_BYTES) return "";
  if (credential.startsWith(API_KEY_PREFIX)) {
    const key = parseApiKey(credential);
    return key === undefined ? "" : `key:${key.id}`;
  }
  try {
    const claimed = claimedIssuer(credential);
    return issuers.some(({ issuer }) => issuer === claimed) ? `jwt:${claimed}` : "";
  } catch {
    return ""; // it is no token, which whoever checks it tells the caller
  }
}

function bad(message: string): ValinorError {
  return new ValinorError("UNAUTHENTICATED", message);
}
