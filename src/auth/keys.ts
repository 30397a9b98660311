import { timingSafeEqual } from "node:crypto";
import { ValinorError } from "../core/errors.ts";
import { translate } from "../core/guest-errors.ts";
import type { Caller } from "../core/types.ts";
import type { KeyRecord, KeyStore } from "../store/keys.ts";
import { parseApiKey } from "./api-key.ts";
import { createKeyCache } from "./key-cache.ts";
import { isPermission } from "./roles.ts";
import { monotonicNow } from "@valinor/protocol";

/** A revocation takes effect within this time. */
const MAX_AGE_MS = 10_000;
const MAX_CACHED = 10_000;
/** How often at most a key's last use is written down. */
const TOUCH_MS = 60_000;

/** Makes a key's caller. Rejects with UNAUTHENTICATED, or STORE_UNAVAILABLE. */
export type VerifyKey = (text: string) => Promise<Caller>;

/**
 * Makes the check of API keys. `now`: wall time, milliseconds, which a key's expiry is held against; `elapsed`: a clock that never steps, for
 * how long a key that was looked up is believed.
 */
export function createKeyVerifier(
  store: Pick<KeyStore, "findKey" | "touchKey">,
  now: () => number,
  elapsed: () => number = monotonicNow,
): VerifyKey {
  const cache = createKeyCache({
    lookup: (id) => store.findKey(id),
    most: MAX_CACHED,
    maxAgeMs: MAX_AGE_MS,
    now: elapsed,
  });
  const touch = createTouch(store, now, elapsed);
  const find = (id: string) =>
    cache.find(id).catch((error: unknown) => {
      throw translate(error);
    });
  return async (text) => {
    const key = parseApiKey(text);
    if (key === undefined) throw bad("the API key is malformed: it was mistyped or cut off");
    const record = await find(key.id);
    // An unknown id and a wrong secret get the same answer: no caller may find out which ids exist.
    if (record === undefined || !sameDigest(record.sha256, key.sha256)) throw bad("the API key is unknown");
    checkValid(record, now());
    touch(record);
    return callerOf(record, async () => checkValid(await find(key.id), now()));
  };
}

function callerOf(record: KeyRecord, recheck: () => Promise<void>): Caller {
  const { id, tenant, subject, permissions } = record;
  return {
    tenant,
    subject,
    permissions: new Set(permissions.filter(isPermission)),
    credential: `key:${id}`,
    recheck,
  };
}

function checkValid(record: KeyRecord | undefined, now: number): void {
  if (record === undefined) throw bad("the API key is unknown");
  if (record.revokeTime !== undefined) throw bad("the API key was revoked");
  if (record.expireTime !== undefined && record.expireTime.getTime() <= now)
    throw bad("the API key has expired");
}

/** Notes uses in the background: a store that does not take it must not keep a request from being served. */
function createTouch(
  store: Pick<KeyStore, "touchKey">,
  now: () => number,
  elapsed: () => number,
): (record: KeyRecord) => void {
  const touched = new Map<string, number>();
  return ({ id, lastUsedTime }) => {
    const time = elapsed();
    const touchedAt = touched.get(id);
    const noted =
      touchedAt === undefined ? Math.abs(now() - (lastUsedTime?.getTime() ?? 0)) : time - touchedAt;
    if (noted < TOUCH_MS) return;
    if (touched.size >= MAX_CACHED) touched.clear();
    touched.set(id, time);
    // The store reports its own failures, and the next use after a minute is noted again.
    store.touchKey(id, new Date(now())).catch(() => {});
  };
}

function sameDigest(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function bad(message: string): ValinorError {
  return new ValinorError("UNAUTHENTICATED", message);
}
