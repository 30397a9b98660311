// A surrogate pair is one character: a text that is cut inside of it is not well-formed, and protobuf has no such text.

/**
 * Cuts text into pieces whose JSON is at most `bytes` long, never inside a surrogate pair. Text that certainly fits is not
 * measured: a UTF-16 unit takes 6 bytes at most.
 */
export function splitText(text: string, bytes: number): string[] {
  if (text.length * 6 + 2 <= bytes) return [text];
  const pieces: string[] = [];
  for (let at = 0; at < text.length;) {
    let length = bytes;
    let piece = cut(text, at, length);
    while (Buffer.byteLength(JSON.stringify(piece)) > bytes) {
      length = Math.max(2, Math.floor(length / 2));
      piece = cut(text, at, length);
    }
    pieces.push(piece);
    at += piece.length;
  }
  return pieces;
}

/** At most `length` units (2 or more) from `at`, one fewer if that would part a surrogate pair. */
function cut(text: string, at: number, length: number): string {
  const end = at + length;
  return text.slice(at, end < text.length && endsInHighSurrogate(text, end) ? end - 1 : end);
}

/** True if the unit before `end` is the first half of a surrogate pair. */
export function endsInHighSurrogate(text: string, end: number): boolean {
  const unit = text.charCodeAt(end - 1);
  return unit >= 0xd800 && unit <= 0xdbff;
}
