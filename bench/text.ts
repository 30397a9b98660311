/** Ends the text of every chunk and occurs nowhere else in what a server sends, so that a client counts chunks by it. */
export const MARK = "~";

/** Text of every chunk: 60 bytes. */
export const CHUNK_TEXT = `The quick brown fox jumps over the lazy dog and runs home. ${MARK}`;
