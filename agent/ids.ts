import { closeSync, existsSync, openSync, readSync } from "node:fs";
import type { GuestIds } from "./kernel/ports.ts";

/** Where Linux and macOS hand random bytes to everybody. */
const KERNEL = "/dev/urandom";
const BOOT_ID_BYTES = 16;

/** Mints the name of a boot, without node:crypto if it can: that takes 6 ms to load, and the agent does not listen before. */
export function mintBootId(): string {
  return (existsSync(KERNEL) ? kernelBytes(BOOT_ID_BYTES) : crypto().randomBytes(BOOT_ID_BYTES)).toString(
    "hex",
  );
}

function kernelBytes(count: number): Buffer {
  const fd = openSync(KERNEL, "r");
  try {
    const bytes = Buffer.alloc(count);
    // The kernel gives so few bytes in one piece or not at all.
    if (readSync(fd, bytes) !== count) throw new Error(`${KERNEL} gives no random bytes`);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

const crypto = () => process.getBuiltinModule("node:crypto");

/**
 * Names that nobody else mints. Machines that were forked from one snapshot draw the same random bytes; the moment, in nanoseconds, tells
 * their runs apart.
 */
export const randomIds: GuestIds = {
  life: () => `${crypto().randomBytes(8).toString("hex")}${process.hrtime.bigint().toString(16)}`,
  request: () => crypto().randomUUID(),
};
