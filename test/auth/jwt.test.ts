import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { createTokenVerifier, type Issuer } from "../../src/auth/jwt.ts";
import { ValinorError } from "../../src/core/errors.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { startIssuer, tampered, type TestIssuer, type TokenWish, unsignedToken } from "./issuer.ts";

let acme: TestIssuer;
beforeAll(async () => {
  acme = await startIssuer();
});
afterEach(() => vi.useRealTimers());

const verifierOf = (issuer: Partial<Issuer> = {}, now = Date.now) =>
  createTokenVerifier([{ ...acme.issuer, ...issuer }], now);

/** What a token is refused with. */
async function refusal(token: string, issuer: Partial<Issuer> = {}): Promise<ValinorError> {
  const error: unknown = await verifierOf(issuer)(token).then(
    () => new Error("it was taken"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof ValinorError)) throw error;
  expect(error.message).not.toContain(token);
  return error;
}

describe("a good token", () => {
  it("names tenant and subject, and its roles give permissions", async () => {
    const caller = await verifierOf()(await acme.token());
    expect(caller).toMatchObject({ tenant: "acme", subject: "ann", credential: "jwt:https://issuer.test" });
    expect([...caller.permissions]).toEqual(["agents:read", "agents:write"]);
  });

  it.each([
    [["viewer"], ["agents:read"]],
    [["admin"], ["agents:read", "agents:write", "agents:admin"]],
    [["platform"], ["platform:admin"]],
    ["viewer platform", ["agents:read", "platform:admin"]],
    [["root", "toString", "__proto__", 7, null], []],
    ["", []],
    [{ admin: true }, []],
    [undefined, []],
  ])("with the roles %j may %j", async (roles, permissions) => {
    const caller = await verifierOf()(await acme.token({ claims: { roles } }));
    expect([...caller.permissions]).toEqual(permissions);
  });

  it("is read by the claims and roles that its issuer is configured with", async () => {
    const token = await acme.token({
      claims: { org: "blue", "https://x.test/user": "bob", realm_access: { roles: ["boss"] } },
    });
    const caller = await verifierOf({
      tenantClaim: "org",
      subjectClaim: "https://x.test/user",
      rolesClaim: "realm_access.roles",
      roles: { boss: ["agents:admin"] },
    })(token);
    expect(caller).toMatchObject({ tenant: "blue", subject: "bob" });
    expect([...caller.permissions]).toEqual(["agents:admin"]);
  });

  it("of a role that the issuer's own roles don't have gives nothing", async () => {
    const caller = await verifierOf({ roles: { boss: ["agents:admin"] } })(
      await acme.token({ claims: { roles: ["admin"] } }),
    );
    expect([...caller.permissions]).toEqual([]);
  });

  it("may be for several audiences, one of them ours", async () => {
    await expect(verifierOf({ audience: ["other", "valinor"] })(await acme.token())).resolves.toMatchObject({
      tenant: "acme",
    });
  });

  it("is believed 30 s after its end and before its begin, since clocks differ", async () => {
    for (const wish of [{ expiresIn: -20 }, { notBeforeIn: 20 }])
      await expect(verifierOf()(await acme.token(wish))).resolves.toMatchObject({ subject: "ann" });
  });

  it("is not believed any more by a call that lasts, once it has expired", async () => {
    let now = Date.now();
    const caller = await verifierOf({}, () => now)(await acme.token({ expiresIn: 60 }));
    await caller.recheck?.();
    now += 91_000;
    await expect(caller.recheck?.()).rejects.toMatchObject({ reason: "UNAUTHENTICATED" });
  });
});

describe("a token is refused", () => {
  const wishes: [string, TokenWish, RegExp][] = [
    ["that has expired", { expiresIn: -31 }, /expired/],
    ["that never expires", { expiresIn: undefined }, /no time of expiry/],
    ["that is not valid yet", { notBeforeIn: 60 }, /not valid yet/],
    ["of another audience", { audience: "elsewhere" }, /audience/],
    ["of another issuer", { issuer: "https://evil.test" }, /issuer/],
    ["that names a key that there is not", { kid: "k9" }, /unknown key/],
    ["without a tenant", { claims: { tenant: undefined } }, /tenant/],
    ["with a list for a tenant", { claims: { tenant: ["acme"] } }, /tenant/],
    ["with a tenant of other characters", { claims: { tenant: "../acme" } }, /tenant/],
    ["with an empty tenant", { claims: { tenant: "" } }, /tenant/],
    ["with a tenant of 64 characters", { claims: { tenant: "a".repeat(64) } }, /tenant/],
    ["without a subject", { claims: { sub: undefined } }, /subject/],
    ["with an empty subject", { claims: { sub: "" } }, /subject/],
    ["with a subject of 257 characters", { claims: { sub: "s".repeat(257) } }, /subject/],
  ];
  it.each(wishes)("%s", async (_, wish, text) => {
    const error = await refusal(await acme.token(wish));
    expect(error.reason).toBe("UNAUTHENTICATED");
    expect(error.message).toMatch(text);
  });

  it("whose claims were changed after it was signed", async () => {
    const token = tampered(await acme.token(), { tenant: "other" });
    expect((await refusal(token)).message).toMatch(/signature/);
  });

  it("without a signature", async () => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const token = unsignedToken({ iss: acme.issuer.issuer, aud: "valinor", exp, sub: "ann", tenant: "acme" });
    expect((await refusal(token)).message).toMatch(/algorithm/);
  });

  it("signed with the issuer's public key as a shared secret", async () => {
    const secret = new TextEncoder().encode(await acme.publicPem());
    const token = await new SignJWT({ tenant: "acme", sub: "ann", roles: ["admin"] })
      .setProtectedHeader({ alg: "HS256", kid: "k1" })
      .setIssuer(acme.issuer.issuer)
      .setAudience("valinor")
      .setExpirationTime("1h")
      .sign(secret);
    expect((await refusal(token)).message).toMatch(/algorithm/);
  });

  it("signed with a good key and an algorithm that is not among the issuer's", async () => {
    expect((await refusal(await acme.token(), { algorithms: ["RS256"] })).message).toMatch(/algorithm/);
  });

  it.each(["", "x", "a.b", "a.b.c", "..", `${"e30".repeat(3)}.e30.e30`])("of the form %j", async (token) => {
    expect((await verifierOf()(token).catch((error: unknown) => error)) as ValinorError).toMatchObject({
      reason: "UNAUTHENTICATED",
    });
  });

  it("of an issuer that is configured with the other issuer's key", async () => {
    const other = await startIssuer("https://other.test");
    const verify = createTokenVerifier([acme.issuer, other.issuer], Date.now);
    await expect(verify(await other.token({ issuer: acme.issuer.issuer }))).rejects.toMatchObject({
      reason: "UNAUTHENTICATED",
    });
    await expect(verify(await other.token())).resolves.toMatchObject({
      credential: "jwt:https://other.test",
    });
  });
});

describe("an issuer's keys", () => {
  it("are fetched once, and again for a new key, but not within 30 s", async () => {
    const issuer = await startIssuer();
    const verify = createTokenVerifier([issuer.issuer], Date.now);
    await Promise.all(Array.from({ length: 20 }, async () => verify(await issuer.token())));
    expect(issuer.fetches()).toBe(1);

    await issuer.addKey("k2");
    await expect(verify(await issuer.token({ key: "k2" }))).rejects.toMatchObject({
      message: expect.stringMatching(/unknown key/),
    });
    expect(issuer.fetches()).toBe(1);

    const then = performance.now();
    vi.useFakeTimers({ toFake: ["performance"] });
    vi.advanceTimersByTime(then + 31_000);
    await verify(await issuer.token({ key: "k2" }));
    await verify(await issuer.token());
    await expect(verify(await issuer.token({ kid: "made-up" }))).rejects.toThrow(/unknown key/);
    expect(issuer.fetches()).toBe(2);
  });

  it("may be two of one algorithm, and a token that names none is tried with each, up to eight", async () => {
    const issuer = await startIssuer();
    for (const kid of ["k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"]) await issuer.addKey(kid);
    const verify = createTokenVerifier([issuer.issuer], Date.now);
    for (const key of ["k1", "k2", "k8"])
      expect(await verify(await issuer.token({ key, kid: undefined }))).toMatchObject({ tenant: "acme" });
    const refused = { reason: "UNAUTHENTICATED", message: "the token's signature is wrong" };
    await expect(verify(await issuer.token({ key: "k9", kid: undefined }))).rejects.toMatchObject(refused);
    await expect(verify(await issuer.token({ key: "k9" }))).resolves.toMatchObject({ tenant: "acme" });
    const other = await startIssuer();
    await expect(verify(await other.token({ kid: undefined }))).rejects.toMatchObject(refused);
    const expired = await issuer.token({ key: "k2", kid: undefined, expiresIn: -31 });
    await expect(verify(expired)).rejects.toMatchObject({ message: "the token has expired" });
  });

  it("are fetched again for a new key though the clock was set back by an hour", async () => {
    const issuer = await startIssuer();
    const verify = createTokenVerifier([issuer.issuer], Date.now);
    await verify(await issuer.token());
    await issuer.addKey("k2");
    const then = performance.now();
    vi.useFakeTimers({ toFake: ["performance", "Date"], now: Date.now() - 3_600_000 });
    vi.advanceTimersByTime(then + 31_000);
    await verify(await issuer.token({ key: "k2" }));
    expect(issuer.fetches()).toBe(2);
  });

  it("that can't be fetched make no token a bad one: AUTH_UNAVAILABLE, and one fetch a second", async () => {
    const issuer = await startIssuer();
    issuer.answer(500);
    const verify = createTokenVerifier([issuer.issuer], Date.now);
    const token = await issuer.token();
    for (let round = 0; round < 5; round++) {
      await expect(verify(token)).rejects.toMatchObject({ reason: "AUTH_UNAVAILABLE", retryMs: 1_000 });
    }
    expect(issuer.fetches()).toBe(1);
    issuer.answer(200);
    const then = performance.now();
    vi.useFakeTimers({ toFake: ["performance"] });
    vi.advanceTimersByTime(then + 1_001);
    await expect(verify(await issuer.token())).resolves.toMatchObject({ tenant: "acme" });
  });

  it.each([
    ["no JSON", "<html>"],
    ["no key set", '{"keys":7}'],
    ["over 1 MiB", JSON.stringify({ keys: [], pad: "x".repeat(1024 * 1024) })],
  ])("that are %s make no token a bad one either", async (_, body) => {
    const issuer = await startIssuer();
    issuer.answer(200, body);
    const verify = createTokenVerifier([issuer.issuer], Date.now);
    for (let round = 0; round < 3; round++)
      await expect(verify(await issuer.token())).rejects.toMatchObject({ reason: "AUTH_UNAVAILABLE" });
    expect(issuer.fetches()).toBe(1);
  });

  it("can't be had if nobody listens", async () => {
    const verify = verifierOf({ jwksUrl: "http://127.0.0.1:1/jwks.json" });
    await expect(verify(await acme.token())).rejects.toMatchObject({ reason: "AUTH_UNAVAILABLE" });
  });

  it("can stand in a file", async () => {
    const { publicKey, privateKey } = await generateKeyPair("RS256");
    const path = join(tempDir(), "jwks.json");
    writeFileSync(path, JSON.stringify({ keys: [await exportJWK(publicKey)] }));
    const { jwksUrl: _, ...rest } = acme.issuer;
    const verify = createTokenVerifier([{ ...rest, jwksFile: path }], Date.now);
    const token = await new SignJWT({ tenant: "acme", sub: "ann", roles: "viewer" })
      .setProtectedHeader({ alg: "RS256" })
      .setIssuer(rest.issuer)
      .setAudience("valinor")
      .setExpirationTime("1h")
      .sign(privateKey);
    expect([...(await verify(token)).permissions]).toEqual(["agents:read"]);
    await expect(verify(await acme.token())).rejects.toThrow(/unknown key/);
  });
});

describe("a configuration is refused", () => {
  it.each(["HS256", "none", "dir", "A128KW", ""])("with the algorithm %j", (name) => {
    expect(() => verifierOf({ algorithms: ["ES256", name] })).toThrow(/asymmetric/);
  });

  it("without algorithms, without keys, or with an issuer twice", () => {
    expect(() => verifierOf({ algorithms: [] })).toThrow(/asymmetric/);
    expect(() => verifierOf({ jwksUrl: undefined })).toThrow(/jwks/);
    expect(() => createTokenVerifier([acme.issuer, acme.issuer], Date.now)).toThrow(/twice/);
  });

  it.each(["-----BEGIN EC PRIVATE KEY-----\nMHcC", "{}", "[]", "7", '{"keys":[7]}'])(
    "with a file that is no key set, and %j is not repeated",
    (text) => {
      const path = join(tempDir(), "jwks.json");
      writeFileSync(path, text);
      const start = () => verifierOf({ jwksUrl: undefined, jwksFile: path });
      expect(start).toThrow(`${path} is not a JSON Web Key Set`);
    },
  );

  it("with a file that has the private key in it", async () => {
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    const path = join(tempDir(), "jwks.json");
    writeFileSync(path, JSON.stringify({ keys: [await exportJWK(privateKey)] }));
    expect(() => verifierOf({ jwksUrl: undefined, jwksFile: path })).toThrow(/private/);
  });
});
