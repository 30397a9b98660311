/** Most characters of what a guest says of a revision that are kept. */
export const MAX_REASON = 1_000;

/** A text as every database keeps it: PostgreSQL takes no NUL, and none takes half a surrogate pair. */
export function storable(text: string): string {
  return text.replaceAll("\0", "\ufffd").toWellFormed();
}

/** The same for a text of a guest, which may be as long as a frame: what is over MAX_REASON is cut. */
export function storableReason(text: string): string {
  return storable(text.slice(0, MAX_REASON));
}
