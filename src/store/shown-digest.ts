import type { JsonValue } from "@bufbuild/protobuf";
import { configDigest } from "../wire/digest.ts";
import type { ConfigRecord } from "./store.ts";
import { SECRET_PREFIX } from "./vault-walk.ts";

/**
 * The digest of a configuration that may be shown. Where it has secrets it is the digest of the stored form, in which they are
 * sealed: whoever sees the digest of the open form could try secrets until one fits.
 */
export function shownDigest(record: Pick<ConfigRecord, "config" | "policy" | "sha256">): string {
  return hasSecret(record.config) ? configDigest(record.config, record.policy) : record.sha256;
}

function hasSecret(value: JsonValue): boolean {
  if (typeof value === "string") return value.startsWith(SECRET_PREFIX);
  if (typeof value !== "object" || value === null) return false;
  return Object.values(value).some((item) => hasSecret(item));
}
