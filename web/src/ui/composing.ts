/** What browsers say of a key that an input method handles, in place of the key's own code. */
const HANDLED = 229;

/**
 * True for a key that belongs to an input method, which composes a text. Safari ends the composition before it tells of the key that ended it:
 * that Enter comes with `isComposing` false, and only its code says whose it was.
 */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.keyCode === HANDLED;
}
