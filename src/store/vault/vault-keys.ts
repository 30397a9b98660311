/** Bytes of a key. */
export const KEY_BYTES = 32;

/** Most keys at a time: one to encrypt with, and older ones that it replaces. */
const MAX_KEYS = 16;

/**
 * Reads keys for createVault: one a line (a comma parts them as well), 32 bytes in base64 or hexadecimal; `#` begins a comment.
 * The first one encrypts. Throws Error if a line is not a key, or there are no lines; the message names the line, never what is in it.
 */
export function parseSecretKeys(text: string): Buffer[] {
  const keys = text.split("\n").flatMap((line, index) =>
    line
      .replace(/#.*/, "")
      .split(/[\s,]+/)
      .filter((word) => word !== "")
      .map((word) => parseKey(word, index + 1)),
  );
  if (keys.length === 0) throw new Error(`there is no key in it: ${WANTED}`);
  if (keys.length > MAX_KEYS)
    throw new Error(`there are ${keys.length} keys in it; at most ${MAX_KEYS} are taken`);
  return keys;
}

const WANTED = "a key is 32 bytes in base64 or hexadecimal, as `openssl rand -base64 32` makes it";

function parseKey(word: string, line: number): Buffer {
  const key = /^[0-9a-fA-F]{64}$/.test(word) ? Buffer.from(word, "hex") : fromBase64(word);
  if (key?.length !== KEY_BYTES) throw new Error(`line ${line} is not a key: ${WANTED}`);
  return key;
}

/** Node leaves out what is no base64; a key with a typing error must not become another key. */
function fromBase64(word: string): Buffer | undefined {
  const bare = word
    .replace(/={0,2}$/, "")
    .replaceAll("+", "-")
    .replaceAll("/", "_");
  const bytes = Buffer.from(bare, "base64url");
  return bytes.toString("base64url") === bare ? bytes : undefined;
}
