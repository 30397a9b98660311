import { createHash } from "node:crypto";

/** What the fake model says to a request: pieces of text, each an event, and the pause before each, milliseconds. */
export interface Answer {
  readonly pieces: readonly string[];
  readonly paceMs: number;
}

/** The message of a request, from which the fake model reads which one it is and how long to take. */
export function messageOf(id: string, pieces: number, paceMs: number): string {
  return `request=${id} pieces=${pieces} pace=${paceMs}`;
}

/** Reads a message; undefined if it is none of ours. */
export function readMessage(content: string): { id: string; answer: Answer } | undefined {
  const match = /request=(\S+) pieces=(\d+) pace=(\d+)/.exec(content);
  const id = match?.[1];
  if (id === undefined) return undefined;
  return { id, answer: { pieces: piecesOf(id, Number(match?.[2])), paceMs: Number(match?.[3]) } };
}

/** Text that no other request is answered with. */
function piecesOf(id: string, count: number): string[] {
  let digest = createHash("sha256").update(id).digest("hex");
  return Array.from({ length: count }, (_, index) => {
    digest = createHash("sha256").update(digest).digest("hex");
    // Characters of one to four bytes, so that a cut within one is seen.
    return `${index}:${digest.slice(0, 4 + (index % 40))} é漢😀 `;
  });
}

/** SHA-256 of a text, or of the whole answer. */
export function hashOf(text: string | Answer): string {
  const whole = typeof text === "string" ? text : text.pieces.join("");
  return createHash("sha256").update(whole).digest("hex");
}
