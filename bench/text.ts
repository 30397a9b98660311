/** Ends the text of every chunk and occurs nowhere else in what a server sends, so that a client counts chunks by it. */
export const MARK = "~";

const WORDS = "The quick brown fox jumps over the lazy dog and runs home. ";

/** Text of a chunk: so many bytes of ASCII. */
export function chunkText(bytes: number): string {
  return WORDS.repeat(Math.ceil(bytes / WORDS.length)).slice(0, bytes - 1) + MARK;
}

/** Bytes of a chunk's text unless it is said otherwise. */
export const CHUNK_BYTES = 60;

/** Text of a chunk unless it is said otherwise. */
export const CHUNK_TEXT = chunkText(CHUNK_BYTES);
