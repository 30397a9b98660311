import { readFileSync } from "node:fs";
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from "jose";
import { ValinorError } from "../core/errors.ts";

/** A fetch of keys ends within this time. */
const FETCH_MS = 5_000;
/** Keys are fetched again for a token of an unknown key at most once in this time. */
const COOLDOWN_MS = 30_000;
/** Keys are fetched again when they are older than this. */
const MAX_AGE_MS = 10 * 60_000;
/** After a fetch that failed, none is tried for this time. */
const FAILURE_COOLDOWN_MS = 1_000;

/**
 * The keys that an issuer publishes at an address: fetched when a token needs them, kept for 10 minutes, fetched again for a key
 * that is not among them, at most every 30 s. Where they can't be had it rejects with AUTH_UNAVAILABLE, so that an outage of the
 * issuer is not taken for a bad token.
 */
export function remoteKeys(url: string): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: FETCH_MS,
    cooldownDuration: COOLDOWN_MS,
    cacheMaxAge: MAX_AGE_MS,
    [customFetch]: fetchWithCooldown(),
  });
  return orUnavailable((header, token) => keys(header, token));
}

/** The keys of a file with a JSON Web Key Set, read once. Throws Error where it can't be read, or has a private or shared key. */
export function fileKeys(path: string): JWTVerifyGetKey {
  const set: unknown = JSON.parse(readFileSync(path, "utf8"));
  if (hasSecrets(set)) throw new Error(`${path} has a private or shared key: it must hold public keys alone`);
  return orUnavailable(createLocalJWKSet(set as Parameters<typeof createLocalJWKSet>[0]));
}

/** The library waits after fetches that went well only: an issuer that is down would be asked once for every token. */
function fetchWithCooldown(): (url: string, options: RequestInit) => Promise<Response> {
  let failure: { error: unknown; until: number } | undefined;
  return async (url, options) => {
    if (failure !== undefined && Date.now() < failure.until) throw failure.error;
    try {
      const response = await fetch(url, options);
      if (response.status !== 200) throw new Error(`the key set's address answered ${response.status}`);
      failure = undefined;
      return response;
    } catch (error) {
      failure = { error, until: Date.now() + FAILURE_COOLDOWN_MS };
      throw error;
    }
  };
}

/** What a token may be to blame for; whatever else goes wrong with keys is no fault of it. */
const tokenErrors = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

function orUnavailable(keys: JWTVerifyGetKey): JWTVerifyGetKey {
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      if (tokenErrors.some((type) => error instanceof type)) throw error;
      throw new ValinorError("AUTH_UNAVAILABLE", "the keys of the token's issuer can't be had now", {
        cause: error,
      });
    }
  };
}

function hasSecrets(set: unknown): boolean {
  if (typeof set !== "object" || set === null || !("keys" in set) || !Array.isArray(set.keys)) return false;
  return set.keys.some(
    (key: unknown) => typeof key === "object" && key !== null && ("d" in key || "k" in key),
  );
}
