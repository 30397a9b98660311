import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { isUtf8 } from "node:buffer";
import { limits } from "@valinor/protocol";

/**
 * Most fields and elements of a message in binary form. What is one token of JSON is up to two of them: a configuration that may be
 * written in JSON may be in binary too.
 */
const MAX_VALUES = 2 * limits.jsonTokens;
/** Deepest nesting of messages; a level of JSON is two or three. The parser has the same bound. */
const MAX_DEPTH = 100;

/** What is wrong with a message, to be told to its sender. */
class Wrong extends Error {}

interface Scan {
  readonly reader: BinaryReader;
  left: number;
}

/**
 * Walks through a message in protobuf's binary form with the parser's own reader, but makes nothing of it: each field costs two bytes on
 * the wire and a hundred in memory. Answers what is wrong (too many values, nested too deep, malformed), or undefined. What passes, the
 * parser takes: it calls what it can't take an internal error, which would blame us for what the client sent.
 */
export function prescanBinary(desc: DescMessage, bytes: Uint8Array): string | undefined {
  const scan: Scan = { reader: new BinaryReader(bytes), left: MAX_VALUES };
  try {
    walkMessage(scan, desc, bytes.length, 1);
    return undefined;
  } catch (error) {
    return error instanceof Wrong ? error.message : "bytes that are no message of this call";
  }
}

function count(scan: Scan): void {
  if (--scan.left < 0) throw new Wrong(`more than ${MAX_VALUES} values`);
}

function deeper(depth: number): number {
  if (depth >= MAX_DEPTH) throw new Wrong(`nesting over ${MAX_DEPTH}`);
  return depth + 1;
}

function walkMessage(scan: Scan, desc: DescMessage, length: number, depth: number): void {
  const { reader } = scan;
  const fields = fieldsOf(desc);
  const end = reader.pos + length;
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    count(scan);
    const field = fields.get(number);
    if (field === undefined) reader.skip(wireType, number, MAX_DEPTH - depth);
    else walkField(scan, field, number, wireType, depth);
  }
}

/** A message that ends with a tag instead of beginning with its length. */
function walkGroup(scan: Scan, desc: DescMessage, group: number, depth: number): void {
  const { reader } = scan;
  const fields = fieldsOf(desc);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === WireType.EndGroup && number === group) return;
    count(scan);
    const field = fields.get(number);
    if (field === undefined) reader.skip(wireType, number, MAX_DEPTH - depth);
    else walkField(scan, field, number, wireType, depth);
  }
  throw new Wrong("a group without an end");
}

/** As the parser does, it goes by what the field is, and not by what the tag says. */
function walkField(scan: Scan, field: DescField, number: number, wireType: WireType, depth: number): void {
  const { reader } = scan;
  if (field.fieldKind === "map") return walkEntry(scan, field, reader.uint32(), depth);
  if (field.message !== undefined) {
    if (field.delimitedEncoding) return walkGroup(scan, field.message, number, deeper(depth));
    return walkMessage(scan, field.message, reader.uint32(), deeper(depth));
  }
  const packed =
    field.fieldKind === "list" &&
    wireType === WireType.LengthDelimited &&
    field.scalar !== ScalarType.STRING &&
    field.scalar !== ScalarType.BYTES;
  if (!packed) return readScalar(reader, field.scalar, field.utf8Validation);
  const end = reader.uint32() + reader.pos;
  while (reader.pos < end) {
    count(scan);
    readScalar(reader, field.scalar, false);
  }
}

function walkEntry(scan: Scan, field: DescField & { fieldKind: "map" }, length: number, depth: number): void {
  const { reader } = scan;
  const end = reader.pos + length;
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    count(scan);
    if (number === 1) readScalar(reader, field.mapKey, field.utf8Validation);
    else if (number !== 2) reader.skip(wireType, number, MAX_DEPTH - depth);
    else if (field.message === undefined) readScalar(reader, field.scalar, field.utf8Validation);
    else walkMessage(scan, field.message, reader.uint32(), deeper(depth));
  }
}

/** Reads a value as the parser does, which fails where the parser would. Enums have no scalar type, and are read as int32. */
function readScalar(reader: BinaryReader, type: ScalarType | undefined, utf8: boolean): void {
  switch (type) {
    case ScalarType.STRING:
      if (!isUtf8(reader.bytes()) && utf8) throw new Wrong("text that is not UTF-8");
      return;
    case ScalarType.BYTES:
      return void reader.bytes();
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
    case ScalarType.FLOAT:
      return void reader.skip(WireType.Bit32);
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
    case ScalarType.DOUBLE:
      return void reader.skip(WireType.Bit64);
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
      return void reader.int64();
    case ScalarType.BOOL:
      return void reader.bool();
    default:
      return void reader.uint32();
  }
}

const known = new WeakMap<DescMessage, ReadonlyMap<number, DescField>>();

function fieldsOf(desc: DescMessage): ReadonlyMap<number, DescField> {
  let fields = known.get(desc);
  if (fields === undefined) {
    fields = new Map(desc.fields.map((field) => [field.number, field]));
    known.set(desc, fields);
  }
  return fields;
}
