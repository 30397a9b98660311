import type { JsonObject } from "@bufbuild/protobuf";
import { mapSecrets } from "../store/vault-walk.ts";

/** Shorter secrets stand in any text by chance: to hide them would only tell where. */
const SHORTEST = 4;

/**
 * Makes what hides the secrets of a configuration in a text of a guest that got them: a guest that says why it refuses may quote
 * them, as they are or as JSON has them. `stored` tells which texts of `opened` are secrets. What a guest hides on purpose stays.
 */
export function hideSecrets(stored: JsonObject, opened: JsonObject): (text: string) => string {
  const secrets = new Set<string>();
  mapSecrets(stored, opened, (sealed, _place, secret) => {
    if (typeof secret === "string" && secret.length >= SHORTEST) {
      secrets.add(secret);
      secrets.add(JSON.stringify(secret).slice(1, -1));
    }
    return sealed;
  });
  // One may begin with another.
  const longestFirst = [...secrets].toSorted((a, b) => b.length - a.length);
  return (text) => longestFirst.reduce((left, secret) => left.replaceAll(secret, "[redacted]"), text);
}
