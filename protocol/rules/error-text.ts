/**
 * The words of anything that was thrown: an error's message, and of anything else its text. An error of several attempts, as to the
 * addresses of a name, has no words of its own: theirs are given.
 */
export function errorText(thrown: unknown): string {
  if (thrown instanceof AggregateError && thrown.message === "")
    return thrown.errors.map(errorText).join("; ");
  return thrown instanceof Error ? thrown.message : String(thrown);
}
