import { randomBytes, randomUUID } from "node:crypto";
import type { GuestIds } from "./kernel/ports.ts";

/** Mints the name of a boot. */
export function mintBootId(): string {
  return randomBytes(16).toString("hex");
}

/**
 * Names that nobody else mints. Machines that were forked from one snapshot draw the same random bytes; the moment, in nanoseconds, tells
 * their runs apart.
 */
export const randomIds: GuestIds = {
  life: () => `${randomBytes(8).toString("hex")}${process.hrtime.bigint().toString(16)}`,
  request: () => randomUUID(),
};
