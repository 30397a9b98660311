/** Encodes a frame without any check. */
export function frameBytes(type: unknown, id: unknown, payload: unknown): Buffer {
  return lengthAndBytes(Buffer.from(JSON.stringify({ type, id, payload })));
}

/** Puts the length in front of what may not even be JSON. */
export function lengthAndBytes(body: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}
