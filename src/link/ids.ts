import { randomFillSync } from "node:crypto";

const ID_BYTES = 16;
/** Random bytes for many ids at once: asking the system for each would cost more than all the rest of an id. */
const pool = Buffer.alloc(256 * ID_BYTES);
let used = pool.length;

/** Name of an exchange: 128 random bits as 32 hexadecimal digits. */
export function mintId(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.toString("hex", used - ID_BYTES, used);
}
