import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import type { JsonObject } from "@bufbuild/protobuf";
import type { AgentKey } from "../store.ts";
import { identifyItems } from "./vault-items.ts";
import { KEY_BYTES } from "./vault-keys.ts";
import { type Beside, mapSecrets, SECRET_PREFIX, shownPlace } from "./vault-walk.ts";

/** What a secret reads as. Pushed back at the same place, or in the same item of a list, it keeps the secret. */
export const REDACTED = "secret:[redacted]";

/** Most secrets in one configuration: each takes a few microseconds, and about a hundred bytes more than its text. */
export const MAX_SECRETS = 1_000;

/** Longest place of a secret, as UTF-16 units of its JSON pointer: each secret is bound to all of it, which takes time. */
export const MAX_PLACE = 2_048;

/** Keeps secrets of configurations encrypted where they are stored. */
export interface Vault {
  /**
   * The configuration as it is to be stored: every text that begins with `secret:`, at any depth, is encrypted for this agent and
   * this place. `secret:[redacted]` keeps the secret that `current` (the stored form) has at the same place: under the same keys, and in
   * lists in the item that identifyItems finds. Throws VaultError `no_key`, `no_secret` (nothing to keep there, nothing that tells which
   * one, or an empty secret), `too_many` (MAX_SECRETS), `too_deep` (MAX_PLACE), `damaged` (the one to keep).
   */
  seal(agent: AgentKey, config: JsonObject, current: JsonObject): JsonObject;
  /** The configuration as the guest gets it: secrets in the open, without their prefix. Throws VaultError `no_key`, `damaged`. */
  open(agent: AgentKey, stored: JsonObject): JsonObject;
}

/**
 * Why secrets are not sealed or opened: there is `no_key` for it, there is `no_secret` to keep or to seal, there are `too_many`, one
 * lies `too_deep` or under keys that are too long, or what is stored was `damaged`, moved, or sealed for another agent.
 */
export type VaultErrorCode = "no_key" | "no_secret" | "too_many" | "too_deep" | "damaged";

/** An error of the vault. Tell them apart by `code`. The message names places and settings, never a secret or a key. */
export class VaultError extends Error {
  override readonly name = "VaultError";
  readonly code: VaultErrorCode;

  constructor(code: VaultErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

const CIPHER = "aes-256-gcm";
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Secrets are filled up to a multiple of it: their length shows only roughly. */
const BLOCK_BYTES = 32;

const SEALED = /^secret:v1:([0-9a-f]{8}):([A-Za-z0-9_-]+)$/;

/** A key and its name: the first 8 hexadecimal digits of its SHA-256. */
interface VaultKey {
  readonly id: string;
  readonly key: KeyObject;
}

/**
 * Makes a vault. The first key encrypts and all decrypt, so that keys can be changed; 32 bytes each (parseSecretKeys), else
 * RangeError. Without keys a configuration without secrets passes, and one with them throws `no_key`.
 */
export function createVault(keys: readonly Buffer[]): Vault {
  const ring = keys.map((bytes) => {
    if (bytes.length !== KEY_BYTES) throw new RangeError(`a key has ${KEY_BYTES} bytes`);
    return { id: createHash("sha256").update(bytes).digest("hex").slice(0, 8), key: createSecretKey(bytes) };
  });
  return {
    seal(agent, config, current) {
      let secrets = 0;
      const change = (text: string, place: string, beside: Beside): string => {
        const [first] = ring;
        if (first === undefined) throw noKey("to encrypt secrets with");
        if (++secrets > MAX_SECRETS) {
          throw new VaultError("too_many", `a configuration has at most ${MAX_SECRETS} secrets`);
        }
        if (place.length > MAX_PLACE) {
          const how = `a secret's place has at most ${MAX_PLACE} characters: use shorter keys above it`;
          throw new VaultError("too_deep", `the secret at ${shownPlace(place)} lies too deep: ${how}`);
        }
        if (text === REDACTED) return keep(ring, first, agent, place, beside);
        const secret = text.slice(SECRET_PREFIX.length);
        if (secret === "") throw new VaultError("no_secret", `the secret at ${shownPlace(place)} is empty`);
        return encrypt(first, boundTo(agent, place), secret);
      };
      return mapSecrets(config, current, change, identifyItems(REDACTED));
    },
    open: (agent, stored) =>
      mapSecrets(stored, undefined, (text, place) => decrypt(ring, boundTo(agent, place), place, text)),
  };
}

/**
 * A secret that stays. It is encrypted again if its key is not the first one, so that the older key can go, and if its item
 * of a list moved.
 */
function keep(
  ring: readonly VaultKey[],
  first: VaultKey,
  agent: AgentKey,
  place: string,
  { value, place: from, unclear }: Beside,
): string {
  const id = typeof value === "string" ? SEALED.exec(value)?.[1] : undefined;
  if (typeof value !== "string" || id === undefined)
    throw new VaultError("no_secret", noSecret(place, unclear));
  if (id === first.id && from === place) return value;
  return encrypt(first, boundTo(agent, place), decrypt(ring, boundTo(agent, from), from, value));
}

function noSecret(place: string, unclear: string | undefined): string {
  const how = `write "secret:" and its text`;
  if (unclear === undefined) return `there is no secret at ${shownPlace(place)} to keep: ${how}`;
  return (
    `nothing tells which secret is to be kept at ${shownPlace(place)}, since the list at ${shownPlace(unclear)} has changed: ${how}. ` +
    "An entry keeps its secrets if a unique id or name, or all of it but the secrets, is as before"
  );
}

/** What a sealed secret can't be taken away from: its agent and its place there. */
function boundTo(agent: AgentKey, place: string): Buffer {
  return Buffer.from(JSON.stringify(["valinor secret v1", agent.tenant, agent.id, place]));
}

/** `secret:v1:KEYID:DATA`, another text every time; DATA is nonce, ciphertext and tag. */
function encrypt({ id, key }: VaultKey, bound: Buffer, secret: string): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound);
  const data = [nonce, cipher.update(padded(secret)), cipher.final(), cipher.getAuthTag()];
  return `${SECRET_PREFIX}v1:${id}:${Buffer.concat(data).toString("base64url")}`;
}

/** As JSON, which holds every text and ends where it ends, whatever white space follows. */
function padded(secret: string): Buffer {
  const json = Buffer.from(JSON.stringify(secret));
  const size = Math.ceil(json.length / BLOCK_BYTES) * BLOCK_BYTES;
  return Buffer.concat([json, Buffer.alloc(size - json.length, " ")]);
}

function decrypt(ring: readonly VaultKey[], bound: Buffer, place: string, sealed: string): string {
  const [, id, text = ""] = SEALED.exec(sealed) ?? [];
  const candidates = ring.filter((each) => each.id === id);
  if (id !== undefined && candidates.length === 0) {
    throw noKey(`for the secret at ${shownPlace(place)}, which needs the one with id ${id}`);
  }
  const data = Buffer.from(text, "base64url");
  for (const { key } of candidates) {
    const secret = decipher(key, bound, data);
    if (secret !== undefined && data.toString("base64url") === text) return secret;
  }
  throw new VaultError(
    "damaged",
    `the stored secret at ${shownPlace(place)} does not open: it was changed, or sealed for another place; push it again`,
  );
}

/** The secret; undefined if key, place or data are not those it was sealed with. */
function decipher(key: KeyObject, bound: Buffer, data: Buffer): string | undefined {
  if (data.length < NONCE_BYTES + BLOCK_BYTES + TAG_BYTES) return undefined;
  const opened = createDecipheriv(CIPHER, key, data.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  opened.setAAD(bound);
  opened.setAuthTag(data.subarray(-TAG_BYTES));
  const text = opened.update(data.subarray(NONCE_BYTES, -TAG_BYTES));
  try {
    return JSON.parse(Buffer.concat([text, opened.final()]).toString()) as string;
  } catch {
    return undefined; // `final` throws if the tag does not match
  }
}

function noKey(what: string): VaultError {
  const how = "set secrets.key_file or VALINOR_SECRETS_KEY (docs/security.md)";
  return new VaultError("no_key", `there is no key ${what}: ${how}`);
}
