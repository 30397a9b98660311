import type { Actor } from "./audit.ts";

/** An API key to be stored: never the secret, only its digest. */
export interface NewKey {
  /** The public part, between `vlr_` and the next `_`; unique. */
  readonly id: string;
  readonly tenant: string;
  /** Subject of the calls made with it. */
  readonly subject: string;
  /** Names of permissions, as core/types.ts has them. */
  readonly permissions: readonly string[];
  /** SHA-256 of the whole key, hexadecimal. */
  readonly sha256: string;
  /** What it is for, for people. */
  readonly label: string;
  /** undefined: never. */
  readonly expireTime: Date | undefined;
}

/** An API key as it is stored. */
export interface KeyRecord extends NewKey {
  readonly createTime: Date;
  /** undefined: valid. */
  readonly revokeTime: Date | undefined;
  /** To the minute; undefined: never used. */
  readonly lastUsedTime: Date | undefined;
}

/** The API keys. */
export interface KeyStore {
  /** Errors: `exists`. Audit: `key.create`. */
  createKey(key: NewKey, actor: Actor): Promise<KeyRecord>;
  findKey(id: string): Promise<KeyRecord | undefined>;
  /** Keys by id, of one tenant if one is given. */
  listKeys(page: { tenant?: string; afterId: string; limit: number }): Promise<KeyRecord[]>;
  /** False if there is no such key, or it is revoked already. Audit: `key.revoke`. */
  revokeKey(id: string, actor: Actor): Promise<boolean>;
  /** Notes that a key was used; an earlier time than the one noted changes nothing. */
  touchKey(id: string, time: Date): Promise<void>;
}
