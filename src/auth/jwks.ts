import { readFileSync } from "node:fs";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from "jose";
import { ValinorError } from "../core/errors.ts";
import { monotonicNow } from "@valinor/protocol";

/** A fetch of keys ends within this time. */
const FETCH_MS = 5_000;
/** Keys are fetched again for a token of an unknown key at most once in this time. */
const COOLDOWN_MS = 30_000;
/** Keys are fetched again when they are older than this. */
const MAX_AGE_MS = 10 * 60_000;
/** After a fetch that failed, none is tried for this time. */
const FAILURE_COOLDOWN_MS = 1_000;
/** Largest key set. */
const MAX_BYTES = 1024 * 1024;

/**
 * The keys that an issuer publishes at an address: fetched when a token needs them, kept for 10 minutes, fetched again for a key
 * that is not among them, at most every 30 s. If they can't be had it rejects with AUTH_UNAVAILABLE, so that an outage of the
 * issuer is not taken for a bad token.
 */
export function remoteKeys(url: string): JWTVerifyGetKey {
  const source = createSource();
  const keys = createRemoteJWKSet(new URL(url), {
    timeoutDuration: FETCH_MS,
    // The library would hold its own against the wall clock, which steps: the source counts the time.
    cooldownDuration: Infinity,
    cacheMaxAge: Infinity,
    [customFetch]: source.fetch,
  });
  return orUnavailable(async (header, token) => {
    if (source.age() >= MAX_AGE_MS) await keys.reload();
    try {
      return await keys(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || source.age() < COOLDOWN_MS) throw error;
      await keys.reload();
      return keys(header, token);
    }
  });
}

/** The keys of a file with a JSON Web Key Set, read once. Throws Error if it can't be read, or has a private or shared key. */
export function fileKeys(path: string): JWTVerifyGetKey {
  const text = readFileSync(path, "utf8");
  try {
    const set = JSON.parse(text) as JSONWebKeySet;
    if (!hasSecrets(set)) return orUnavailable(createLocalJWKSet(set));
  } catch {
    // Without the cause: it would repeat a piece of the file.
    throw new Error(`${path} is not a JSON Web Key Set`);
  }
  throw new Error(`${path} has a private or shared key: it must hold public keys alone`);
}

/** What the library gets its keys from. */
interface Source {
  readonly fetch: (url: string, options: RequestInit) => Promise<Response>;
  /** Milliseconds since the last fetch that went well; 0 before the first. */
  age(): number;
}

/** Makes a source that waits after a fetch that failed: an issuer that is down would be asked once for every token. */
function createSource(): Source {
  let failure: { error: unknown; until: number } | undefined;
  let fetchedAt: number | undefined;
  return {
    age: () => (fetchedAt === undefined ? 0 : monotonicNow() - fetchedAt),
    async fetch(url, options) {
      if (failure !== undefined && monotonicNow() < failure.until) throw failure.error;
      try {
        const text = await fetchKeys(url, options);
        failure = undefined;
        fetchedAt = monotonicNow();
        return new Response(text);
      } catch (error) {
        failure = { error, until: monotonicNow() + FAILURE_COOLDOWN_MS };
        throw error;
      }
    },
  };
}

/** The text of a key set. Throws if it can't be fetched, or is not a key set. */
async function fetchKeys(url: string, options: RequestInit): Promise<string> {
  const response = await fetch(url, options);
  if (response.status !== 200) throw new Error(`the key set's address answered ${response.status}`);
  const text = (await readAtMost(response, MAX_BYTES)).toString();
  createLocalJWKSet(JSON.parse(text) as JSONWebKeySet); // throws if it is not a key set
  return text;
}

async function readAtMost(response: Response, most: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > most) throw new Error(`the key set has over ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Errors that a token can be blamed for; whatever else goes wrong with keys is not its fault. */
const tokenErrors = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported];

function orUnavailable(keys: JWTVerifyGetKey): JWTVerifyGetKey {
  return async (header, token) => {
    try {
      return await keys(header, token);
    } catch (error) {
      if (tokenErrors.some((type) => error instanceof type)) throw error;
      throw new ValinorError(
        "AUTH_UNAVAILABLE",
        "the keys of the token's issuer can't be fetched now: try again",
        {
          cause: error,
        },
      );
    }
  };
}

/** True if a set has a key that is private or shared. Throws TypeError if it does not have the form of a key set. */
function hasSecrets({ keys }: JSONWebKeySet): boolean {
  return keys.some((key) => "d" in key || "k" in key || "priv" in key);
}
