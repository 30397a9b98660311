import { createHash, randomBytes, randomInt } from "node:crypto";
import { crc32 } from "node:zlib";

/*
 * An API key is `vlr_<id>_<secret><checksum>`: an id of 12 characters, 43 characters with 256 random bits, and 6 characters with
 * the CRC-32 of all before them, each in the alphabet below. The checksum tells a mistyped or truncated key from a wrong one
 * without asking anybody, and scanners for leaked secrets can match keys with few false alarms.
 */

/** What every key looks like; a scanner for leaked secrets can use it as it is. */
export const API_KEY_PATTERN = /^vlr_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}$/;

/** What every key begins with. */
export const API_KEY_PREFIX = "vlr_";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const BASE = BigInt(ALPHABET.length);
const ID_LENGTH = 12;
const SECRET_LENGTH = 43; // 62^43 > 2^256
const CHECKSUM_LENGTH = 6; // 62^6 > 2^32

/** A key as it is shown once, with what is stored of it. */
export interface ApiKey {
  readonly id: string;
  /** The whole key. Never stored, never logged. */
  readonly text: string;
  /** SHA-256 of `text`, hexadecimal. */
  readonly sha256: string;
}

/** Makes a key of 256 random bits. */
export function makeApiKey(): ApiKey {
  const id = Array.from({ length: ID_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  const secret = base62(BigInt(`0x${randomBytes(32).toString("hex")}`), SECRET_LENGTH);
  const body = `${API_KEY_PREFIX}${id}_${secret}`;
  const text = body + checksum(body);
  return { id, text, sha256: digest(text) };
}

/** The id and digest of a key's text; undefined if its form or checksum is wrong. */
export function parseApiKey(text: string): Omit<ApiKey, "text"> | undefined {
  if (!API_KEY_PATTERN.test(text)) return undefined;
  const body = text.slice(0, -CHECKSUM_LENGTH);
  if (!text.endsWith(checksum(body))) return undefined;
  return { id: text.slice(API_KEY_PREFIX.length, API_KEY_PREFIX.length + ID_LENGTH), sha256: digest(text) };
}

function checksum(body: string): string {
  return base62(BigInt(crc32(body)), CHECKSUM_LENGTH);
}

function base62(value: bigint, length: number): string {
  let text = "";
  for (let rest = value; text.length < length; rest /= BASE)
    text = ALPHABET.charAt(Number(rest % BASE)) + text;
  return text;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
