import type { UnknownObject } from "./frame.ts";

/** True for a JSON object; false for arrays and null. */
export function isObject(value: unknown): value is UnknownObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** True for an integer from 0 to 2^32-1. */
export function isUint32(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 0xffffffff && Number.isInteger(value);
}
