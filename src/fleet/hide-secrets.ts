import type { JsonObject } from "@bufbuild/protobuf";
import { mapSecrets } from "../store/vault/vault-walk.ts";

/** Shorter secrets stand in any text by chance: to hide them would only tell where. */
const SHORTEST = 4;

/** Longest text that is searched, in UTF-16 units: a guest's may be as long as a frame, and there may be a thousand secrets. */
const MOST = 8_192;

/**
 * Makes what hides the secrets of a configuration in a text of a guest that got them: a guest that says why it refuses may quote
 * them, as they are or as JSON has them. `stored` tells which texts of `opened` are secrets. What a guest hides on purpose stays. Of a
 * text that is too long to be searched nothing is shown.
 */
export function hideSecrets(stored: JsonObject, opened: JsonObject): (text: string) => string {
  const secrets = new Set<string>();
  mapSecrets(stored, opened, (sealed, _place, { value: secret }) => {
    if (typeof secret === "string" && secret.length >= SHORTEST) {
      secrets.add(secret);
      secrets.add(JSON.stringify(secret).slice(1, -1));
    }
    return sealed;
  });
  // One may begin with another.
  const longestFirst = [...secrets].toSorted((a, b) => b.length - a.length);
  return (text) => {
    if (longestFirst.length === 0) return text;
    // A part of it may end in the middle of a secret.
    if (text.length > MOST) return `(a text of ${text.length} characters)`;
    // What stands for a secret is not searched again.
    const pieces = longestFirst.reduce(
      (left, secret) => left.flatMap((piece) => piece.split(secret)),
      [text],
    );
    return pieces.join("[redacted]");
  };
}
