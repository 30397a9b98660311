import type { JsonObject } from "@bufbuild/protobuf";
import { mapSecrets } from "../../store/vault/vault-walk.ts";
import { REDACTED } from "../../store/vault/vault.ts";

/** A stored configuration as it may be shown: each secret reads `secret:[redacted]`. */
export function redact(config: JsonObject): JsonObject {
  return mapSecrets(config, undefined, () => REDACTED);
}
