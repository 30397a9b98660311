import { sha256 } from "../../wire/digest.ts";

/** True if both are the same. Compares their digests in full, so that the time that it takes tells nothing of how much was right. */
export function isToken(told: string, token: string): boolean {
  const a = sha256(told);
  const b = sha256(token);
  let differences = 0;
  for (let i = 0; i < a.length; i++) differences |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return differences === 0;
}
