import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { makeApiKey } from "../../src/auth/api-key.ts";
import { createAuthenticator, localAuthenticator } from "../../src/auth/authenticate.ts";
import { createAudit } from "../../src/core/audit/audit.ts";
import { localCaller } from "../../src/core/access/authorize.ts";
import type { AuditEntry } from "../../src/store/audit.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import type { Store } from "../../src/store/store.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { forgedKey } from "./forged.ts";
import type { Issuer } from "../../src/auth/jwt.ts";
import { startIssuer, tampered, type TestIssuer } from "./issuer.ts";

let store: Store;
let issuer: TestIssuer;
const key = makeApiKey();

beforeAll(async () => {
  store = await openSqliteStore(":memory:");
  afterFile(() => store.close());
  issuer = await startIssuer();
  const { id, sha256 } = key;
  const permissions = ["agents:read"];
  await store.createKey(
    { id, sha256, tenant: "acme", subject: "ci", permissions, label: "", expireTime: undefined },
    { subject: "root", credential: "cli" },
  );
});

/** Why keys could not be had, as authenticators were told. */
const unavailable: unknown[] = [];

/** An authenticator, and what it wrote into the audit log by then. */
function start(options: { apiKeys?: boolean; issuers?: Issuer[] } = {}) {
  const audit = createAudit({
    store,
    onError: (error) => {
      throw error;
    },
  });
  // Before the next test looks what is there.
  onTestFinished(() => audit.close());
  const { identify } = createAuthenticator({
    store,
    audit,
    issuers: [issuer.issuer],
    apiKeys: true,
    onKeysUnavailable: (error) => void unavailable.push(error),
    ...options,
  });
  // Now, and not at the end: entries are written behind the test's back.
  const present = store.listAudit({ after: 0, limit: 1_000 });
  const noted = async (): Promise<AuditEntry[]> => {
    const before = (await present).at(-1)?.sequence ?? 0;
    await audit.close();
    return store.listAudit({ after: before, limit: 1_000 });
  };
  return { identify: async (header?: string, tenant?: string) => identify(header, tenant), noted };
}

describe("the Authorization header", () => {
  it("takes tokens and API keys as Bearer, in any case", async () => {
    const { identify } = start();
    await expect(identify(`Bearer ${key.text}`)).resolves.toMatchObject({ credential: `key:${key.id}` });
    await expect(identify(`bearer  ${await issuer.token()}`)).resolves.toMatchObject({ subject: "ann" });
  });

  it.each([
    ["Basic YW5uOnNlY3JldA=="],
    [key.text],
    ["Bearer"],
    ["Bearer "],
    [`Bearer ${key.text} ${key.text}`],
    [`Bearer ${key.text}, Bearer ${key.text}`],
    ["Bearer \u00e4"],
  ])("as %j is refused", async (header) => {
    const { identify } = start();
    await expect(identify(header)).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
  });

  it("with a credential over 8 KiB is refused before it is looked at", async () => {
    const { identify } = start();
    const long = await issuer.token({ claims: { roles: ["r".repeat(8_000)] } });
    expect(long.length).toBeGreaterThan(8_192);
    await expect(identify(`Bearer ${long}`)).rejects.toMatchObject({
      message: expect.stringMatching(/8192/),
    });
  });

  it("with an API key is refused if those are not taken", async () => {
    const { identify } = start({ apiKeys: false });
    await expect(identify(`Bearer ${key.text}`)).rejects.toMatchObject({
      message: "this server accepts no API keys: send a token of one of its issuers",
    });
  });
});

describe("a refused credential", () => {
  it("is noted with its public part and the reason, and never as a whole", async () => {
    const { identify, noted } = start();
    const forged = forgedKey(key.id);
    const token = tampered(await issuer.token(), { tenant: "other" });
    const stranger = await (await startIssuer("https://stranger.test")).token();
    for (const credential of [forged, token, stranger, "nonsense"])
      await expect(identify(`Bearer ${credential}`)).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
    await expect(identify()).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });

    const entries = await noted();
    expect(entries.map(({ credential, detail }) => [credential, detail["why"]])).toEqual([
      [`key:${key.id}`, "the API key is unknown"],
      ["jwt:https://issuer.test", "the token's signature is wrong"],
      ["", "this server does not accept tokens of that issuer"],
      ["", "the credential is malformed: neither a token nor an API key"],
    ]);
    expect(entries.every((entry) => entry.action === "denied" && entry.tenant === "")).toBe(true);
    const text = JSON.stringify(entries);
    for (const part of [forged.slice(17), ...token.split("."), ...stranger.split(".")])
      expect(text).not.toContain(part);
  });
});

describe("x-valinor-tenant", () => {
  it("is the tenant of a caller with platform:admin", async () => {
    const { identify } = start();
    const token = await issuer.token({ claims: { roles: ["platform"] } });
    await expect(identify(`Bearer ${token}`, "blue")).resolves.toMatchObject({
      tenant: "blue",
      subject: "ann",
    });
    await expect(identify(`Bearer ${token}`)).resolves.toMatchObject({ tenant: "acme" });
    await expect(identify(`Bearer ${token}`, "../x")).rejects.toMatchObject({ reason: "INVALID_ARGUMENT" });
  });

  it("may name nothing but the own tenant otherwise, and trying is noted", async () => {
    const { identify, noted } = start();
    const token = await issuer.token({ claims: { roles: ["admin"] } });
    await expect(identify(`Bearer ${token}`, "acme")).resolves.toMatchObject({ tenant: "acme" });
    for (const tenant of ["blue", "", "ACME", "acme, acme"])
      await expect(identify(`Bearer ${token}`, tenant)).rejects.toMatchObject({
        reason: "PERMISSION_DENIED",
      });
    expect((await noted())[0]).toMatchObject({ action: "denied", tenant: "acme", subject: "ann" });
  });
});

describe("without authentication", () => {
  it("everybody is the local caller, at once", () => {
    expect(localAuthenticator.identify(undefined, undefined)).toBe(localCaller);
    expect(localAuthenticator.identify("Bearer nonsense", undefined)).toBe(localCaller);
    expect(localAuthenticator.identify(undefined, "blue")).toMatchObject({ tenant: "blue" });
  });
});

it("reports why an issuer's keys can't be had, which its callers are not told", async () => {
  const away = await startIssuer("https://away.test");
  away.answer(500);
  const { identify } = start({ issuers: [away.issuer] });
  await expect(identify(`Bearer ${await away.token()}`)).rejects.toMatchObject({
    reason: "AUTH_UNAVAILABLE",
    message: expect.not.stringContaining("500"),
  });
  expect(unavailable.splice(0).map(String)).toEqual(["Error: the key set's address answered 500"]);
});
