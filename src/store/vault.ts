import type { JsonObject } from "@bufbuild/protobuf";
import type { AgentKey } from "./store.ts";

/** Keeps secrets of configurations encrypted where they are stored. */
export interface Vault {
  /**
   * The configuration as it is to be stored: every text that begins with `secret:`, at any depth, is encrypted for this agent.
   * `secret:[redacted]` keeps the secret that `current` (the stored form) has at the same place. Throws VaultError `no_key`,
   * `no_secret` (nothing to keep there).
   */
  seal(agent: AgentKey, config: JsonObject, current: JsonObject): JsonObject;
  /** The configuration as the guest gets it: secrets in the open, without their prefix. Throws VaultError `no_key`, `damaged`. */
  open(agent: AgentKey, stored: JsonObject): JsonObject;
}
