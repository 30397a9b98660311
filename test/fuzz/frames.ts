import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../helpers/random.ts";
import { lengthAndBytes } from "../helpers/frame-bytes.ts";
import { mutateBytes, mutateJson, pick } from "./mutate.ts";

/** A frame as it is recorded. */
export interface Recorded {
  readonly type: string;
  readonly id: string;
  readonly payload: unknown;
}

interface Conversation {
  readonly steps: readonly (Recorded & { readonly from: "host" | "guest" })[];
}

/** Reads one of the golden vectors' files, or of the corpus. */
export function readJson(...path: string[]): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, ...path), "utf8")) as unknown;
}

/** What one side says in each recorded conversation: the golden vectors', and those of the corpus. */
export function recordedBy(side: "host" | "guest"): readonly (readonly Recorded[])[] {
  const conversations = [
    ...(readJson("../vectors/exchanges.json") as Conversation[]),
    ...(readJson("corpus/conversations.json") as Conversation[]),
  ];
  return conversations
    .map(({ steps }) => steps.filter(({ from }) => from === side))
    .filter((steps) => steps.length > 0);
}

/** How often a frame is left as it was recorded: a link ends at the first broken frame, and many are to come before it. */
const UNCHANGED = 0.93;

/** Bytes of recorded frames as they are. */
const plain = new WeakMap<Recorded, Buffer>();

/** Bytes of recorded frames, changed here and there: whole frames, values in them, and bytes. */
export function mutatedFrames(
  frames: readonly Recorded[],
  random: Random,
  other: readonly Recorded[],
): Buffer[] {
  const order = frames.flatMap((frame) => {
    if (random.chance(0.9)) return [frame];
    return pick([[], [frame, frame], [frame, pick(other, random)], [pick(other, random)]], random);
  });
  if (random.chance(0.05)) order.reverse();
  return order.map((frame) => (random.chance(UNCHANGED) ? plainBytes(frame) : changedBytes(frame, random)));
}

function plainBytes(frame: Recorded): Buffer {
  const known = plain.get(frame);
  if (known !== undefined) return known;
  const bytes = encode(frame);
  plain.set(frame, bytes);
  return bytes;
}

function changedBytes(frame: Recorded, random: Random): Buffer {
  if (random.chance(0.8)) return encode(mutateJson(frame, random));
  // Most changed bytes break the frame's JSON; with the right length the frame is at least whole.
  const bytes = plainBytes(frame);
  const body = mutateBytes(bytes.subarray(4), random);
  return random.chance(0.7) ? lengthAndBytes(body) : mutateBytes(bytes, random);
}

function encode(frame: unknown): Buffer {
  return lengthAndBytes(Buffer.from(JSON.stringify(frame)));
}

/** The bytes of several recorded sessions in a row. */
export function mutatedSessions(
  sessions: readonly (readonly Recorded[])[],
  random: Random,
  other: readonly Recorded[],
): Buffer {
  const parts = Array.from({ length: 1 + random.below(16) }, () =>
    mutatedFrames(pick(sessions, random), random, other),
  );
  return Buffer.concat(parts.flat());
}

/** Cuts bytes into pieces of a size that the bytes themselves decide. */
export function piecesOf(bytes: Buffer): Buffer[] {
  const sizes = [bytes.length, 1 + (bytes.length % 7), 64, 1_000, 65_536];
  const size = Math.max(1, sizes[bytes.length % sizes.length] as number, Math.ceil(bytes.length / 2_000));
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
  return pieces;
}
