/** What is wrong in a JSON value, and where. */
export interface JsonFault {
  /** JSON pointer (RFC 6901). */
  readonly pointer: string;
  /** A sentence's end: "holds half of a surrogate pair". */
  readonly what: string;
}

/** A number of a client's text that would have become another one: what `parseExactly` puts in its place. */
export class ChangedNumber {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

const HALF = "holds half of a surrogate pair, which is not text: send the whole character";
const NOT_FINITE = "is a number beyond what a double holds: send it as a text";
const TOO_LONG = "is a whole number beyond 2^53, which would be rounded: send it as a text";

/**
 * The first thing in a JSON value that could not be kept as it was sent: half of a surrogate pair in a text or key, which every further
 * writer would make something else of; a number that is not finite (`1e400`), which JSON writes as null. With `wholeNumbers` also those
 * beyond 2^53, for which it can't be told any more whether they are what was sent. The value must not nest without bound.
 */
export function findJsonFault(
  value: unknown,
  pointer: string,
  { wholeNumbers }: { readonly wholeNumbers: boolean },
): JsonFault | undefined {
  if (typeof value === "string") return value.isWellFormed() ? undefined : { pointer, what: HALF };
  if (typeof value === "number") {
    if (!Number.isFinite(value)) return { pointer, what: NOT_FINITE };
    const isInDoubt = wholeNumbers && Number.isInteger(value) && !Number.isSafeInteger(value);
    return isInDoubt ? { pointer, what: TOO_LONG } : undefined;
  }
  if (value instanceof ChangedNumber) return { pointer, what: TOO_LONG };
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, member] of Object.entries(value)) {
    const place = `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (!key.isWellFormed()) return { pointer: place.toWellFormed(), what: HALF };
    const fault = findJsonFault(member, place, { wholeNumbers });
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** What of a JSON text may be such a fault: most texts have nothing of it, and are not walked. */
const SUSPICIOUS = /\\u[dD][89a-fA-F]|\d[eE]\+?\d{3}|\d{16}/;
const WHOLE = /^-?\d{16,}$/;

/**
 * Parses JSON. With `wholeNumbers`, a whole number that a double does not hold becomes a ChangedNumber. Answers what findJsonFault finds
 * as well. Throws SyntaxError.
 */
export function parseExactly(
  text: string,
  options: { readonly wholeNumbers: boolean },
): { readonly value: unknown; readonly fault?: JsonFault } {
  if (!SUSPICIOUS.test(text)) return { value: JSON.parse(text) as unknown };
  const value: unknown = options.wholeNumbers ? JSON.parse(text, keepSource) : JSON.parse(text);
  const fault = findJsonFault(value, "", { wholeNumbers: false });
  return fault === undefined ? { value } : { value, fault };
}

function keepSource(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const source = context?.source ?? "";
  if (typeof value !== "number" || !Number.isFinite(value) || !WHOLE.test(source)) return value;
  // A finite number has at most 309 digits.
  if (BigInt(source) === BigInt(value)) return value;
  return new ChangedNumber(source);
}
