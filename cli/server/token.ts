import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { parseDuration } from "../terminal/duration.ts";
import { CliError } from "../terminal/errors.ts";
import { errorText } from "@valinor/protocol";

const ISSUER = "valinor-dev";
const AUDIENCE = "valinor";
const ALGORITHM = "ES256";

/** Flags of `valinor token`. */
export interface TokenOptions {
  readonly tenant: string;
  readonly subject: string;
  /** What the issuer's `roles` or the default roles know. */
  readonly role: string;
  /** Such as `30m`; default `1h`. */
  readonly expires?: string;
  /** Where the keys are kept; default `.valinor/auth`. */
  readonly dir?: string;
}

/**
 * For development: signs a token with a key of this machine, which is made if it is missing, and prints it on stdout; on stderr
 * what a server needs in its configuration to take it. Rejects with CliError if the directory can't be used.
 */
export async function token(options: TokenOptions): Promise<void> {
  const { tenant, subject, role, expires = "1h" } = options;
  const dir = resolve(options.dir ?? join(".valinor", "auth"));
  const seconds = Math.floor(parseDuration(expires, "--expires") / 1000);
  const key = await devKey(dir).catch((error: unknown) => {
    const why = errorText(error);
    throw new CliError(`the key in ${dir} can't be used: ${why}`, { cause: error });
  });
  const text = await new SignJWT({ tenant, roles: [role] })
    .setProtectedHeader({ alg: ALGORITHM, typ: "JWT", kid: key.kid ?? "" })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
    .sign(await importJWK(key, ALGORITHM));
  process.stderr.write(
    "A server takes it with these lines in its configuration:\n" +
      `auth:\n  issuers:\n    - issuer: ${ISSUER}\n      audience: ${AUDIENCE}\n` +
      `      jwks_file: ${JSON.stringify(join(dir, "jwks.json"))}\n`,
  );
  process.stdout.write(`${text}\n`);
}

/** The private key of the directory, made if there is none, with its public half in `jwks.json` beside it. */
async function devKey(dir: string): Promise<JWK> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, "private-key.json");
  if (!existsSync(path)) await makeKey(path);
  chmodSync(path, 0o600);
  const key = JSON.parse(readFileSync(path, "utf8")) as JWK;
  const { d: _secret, ...open } = key;
  writeFileSync(join(dir, "jwks.json"), `${JSON.stringify({ keys: [open] }, null, 2)}\n`, { mode: 0o600 });
  return key;
}

async function makeKey(path: string): Promise<void> {
  const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
  const jwk = await exportJWK(privateKey);
  const kid = await calculateJwkThumbprint(jwk);
  const text = JSON.stringify({ ...jwk, kid, alg: ALGORITHM, use: "sig" });
  // If another command was first, its key stands.
  try {
    writeFileSync(path, text, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
}
