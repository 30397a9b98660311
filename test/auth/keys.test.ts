import { beforeAll, describe, expect, it } from "vitest";
import { makeApiKey } from "../../src/auth/api-key.ts";
import { createKeyCache } from "../../src/auth/key-cache.ts";
import { createKeyVerifier } from "../../src/auth/keys.ts";
import type { KeyRecord, NewKey } from "../../src/store/keys.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import { type Store, StoreError } from "../../src/store/store.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { until } from "../helpers/until.ts";
import { forgedKey } from "./forged.ts";

const actor = { subject: "root", credential: "cli" };
let store: Store;
beforeAll(async () => {
  store = await openSqliteStore(":memory:");
  afterFile(() => store.close());
});

/** A key in the store. */
async function addKey(more: Partial<NewKey> = {}) {
  const { id, text, sha256 } = makeApiKey();
  const permissions = ["agents:read"];
  await store.createKey(
    { id, sha256, tenant: "acme", subject: "ci", permissions, label: "", expireTime: undefined, ...more },
    actor,
  );
  return { id, text };
}

/** The store with its lookups and touches counted. */
function counted() {
  const calls = { find: 0, touch: 0 };
  const keys: Pick<Store, "findKey" | "touchKey"> = {
    findKey: (id) => (calls.find++, store.findKey(id)),
    touchKey: (id, time) => (calls.touch++, store.touchKey(id, time)),
  };
  return { calls, keys };
}

describe("an API key", () => {
  it("is its tenant's and subject's, and may what it was made for", async () => {
    const { id, text } = await addKey({ permissions: ["agents:write", "agents:admin", "root"] });
    const caller = await createKeyVerifier(store, Date.now)(text);
    expect(caller).toMatchObject({ tenant: "acme", subject: "ci", credential: `key:${id}` });
    expect([...caller.permissions]).toEqual(["agents:write", "agents:admin"]);
  });

  it("that is good by its form is refused with the same text for an unknown id and for a wrong secret", async () => {
    const { id } = await addKey();
    const verify = createKeyVerifier(store, Date.now);
    const stranger = makeApiKey();
    await expect(verify(stranger.text)).rejects.toMatchObject({
      reason: "UNAUTHENTICATED",
      message: "the API key is unknown",
    });
    // Right id, another secret with its right checksum: what someone makes up who saw an audit log.
    const forged = forgedKey(id);
    await expect(verify(forged)).rejects.toMatchObject({ message: "the API key is unknown" });
  });

  it("that was mistyped is refused without asking the store", async () => {
    const { calls, keys } = counted();
    const { text } = await addKey();
    await expect(createKeyVerifier(keys, Date.now)(text.slice(0, -1))).rejects.toMatchObject({
      message: expect.stringMatching(/mistyped or cut off/),
    });
    expect(calls.find).toBe(0);
  });

  it("is refused from the moment that it expires, cached or not", async () => {
    let now = Date.now();
    const { text } = await addKey({ expireTime: new Date(now + 5_000) });
    const verify = createKeyVerifier(store, () => now);
    const caller = await verify(text);
    now += 5_000;
    await expect(verify(text)).rejects.toMatchObject({ message: "the API key has expired" });
    await expect(caller.recheck?.()).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
  });

  it("is looked up once in 10 s, and refused 10 s after it was revoked, by calls that last as well", async () => {
    let now = Date.now();
    const { calls, keys } = counted();
    const { id, text } = await addKey();
    const verify = createKeyVerifier(
      keys,
      () => now,
      () => now,
    );
    const [caller] = await Promise.all(Array.from({ length: 50 }, () => verify(text)));
    expect(calls.find).toBe(1);
    await store.revokeKey(id, actor);
    now += 9_999;
    await verify(text);
    await caller?.recheck?.();
    expect(calls.find).toBe(1);
    now += 1;
    await expect(verify(text)).rejects.toMatchObject({ message: "the API key was revoked" });
    await expect(caller?.recheck?.()).rejects.toMatchObject({ message: "the API key was revoked" });
    expect(calls.find).toBe(2);
  });

  it("has its last use written down once a minute", async () => {
    let now = Date.now();
    const { calls, keys } = counted();
    const { id, text } = await addKey();
    const verify = createKeyVerifier(
      keys,
      () => now,
      () => now,
    );
    for (const step of [0, 1_000, 58_999, 1]) {
      now += step;
      await verify(text);
    }
    expect(calls.touch).toBe(2);
    // The second of the two: to the minute, as the store keeps it.
    await until("its use is written down", async () => {
      const used = (await store.findKey(id))?.lastUsedTime?.getTime() ?? 0;
      return Math.abs(used - now) < 60_000;
    });
  });

  it("is good if its use can't be written down, and STORE_UNAVAILABLE if it can't be looked up", async () => {
    const { text } = await addKey();
    const away = () => Promise.reject(new StoreError("unavailable", "away"));
    const verify = createKeyVerifier({ findKey: (id) => store.findKey(id), touchKey: away }, Date.now);
    await expect(verify(text)).resolves.toMatchObject({ tenant: "acme" });
    await expect(createKeyVerifier({ findKey: away, touchKey: away }, Date.now)(text)).rejects.toMatchObject({
      reason: "STORE_UNAVAILABLE",
    });
  });
});

describe("the cache of keys", () => {
  const record = (id: string) => ({ id }) as KeyRecord;

  it("asks for few made-up keys at once, refuses what is too much, and lets known keys pass", async () => {
    let now = 0;
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => (release = resolve));
    let asked = 0;
    const lookup = async (id: string) => {
      if (id === "known") return record(id);
      asked++;
      await gate;
      return undefined;
    };
    const cache = createKeyCache({ lookup, most: 10_000, maxAgeMs: 10, now: () => now });
    await cache.find("known");
    const made = Array.from({ length: 1_000 }, (_, n) =>
      cache.find(`made-${n}`).catch((error: unknown) => error),
    );
    expect(asked).toBe(4);
    now = 20;
    await expect(cache.find("known")).resolves.toMatchObject({ id: "known" });
    expect(await made.at(-1)).toMatchObject({ reason: "AUTH_UNAVAILABLE" });
    release();
    const answers = await Promise.all(made);
    expect(answers.filter((answer) => answer === undefined)).toHaveLength(260);
    expect(asked).toBe(260);
    // Everything is free again.
    expect(await cache.find("another")).toBeUndefined();
  });

  it("forgets what was used longest ago, and keeps no key that is not there", async () => {
    const asked: string[] = [];
    const cache = createKeyCache({
      lookup: async (id) => (asked.push(id), id.startsWith("none") ? undefined : record(id)),
      most: 2,
      maxAgeMs: 1_000,
      now: () => 0,
    });
    await cache.find("a");
    await cache.find("b");
    await cache.find("a");
    await cache.find("c"); // b goes
    await cache.find("a");
    expect(asked).toEqual(["a", "b", "c"]);
    await cache.find("b");
    await cache.find("none");
    await cache.find("none");
    expect(asked).toEqual(["a", "b", "c", "b", "none", "none"]);
  });

  it("asks again after a failure", async () => {
    let fails = true;
    const cache = createKeyCache({
      lookup: async (id) => {
        if (fails) throw new Error("away");
        return record(id);
      },
      most: 2,
      maxAgeMs: 1_000,
      now: () => 0,
    });
    await expect(cache.find("a")).rejects.toThrow("away");
    fails = false;
    await expect(cache.find("a")).resolves.toEqual({ id: "a" });
  });
});
