import { randomBytes } from "node:crypto";

/** 64 random bits: an agent that is deleted and made again has none of its old etags. */
export function newEtag(): string {
  return randomBytes(8).toString("hex");
}
