import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";

/** A payload in which one field is left out, and payloads that must mean the same (docs/wire-protocol.md, section 4.2). */
export interface AbsentCase {
  /** Path of the field. */
  readonly field: string;
  readonly without: Payload;
  readonly same: readonly Payload[];
}

/** A payload as JSON. */
export type Payload = { readonly [key: string]: unknown };

/**
 * A case for each field of a payload, those of messages inside it too: with null in its place, and with the zero value if the field is
 * one that is always there. Throws Error if the payload does not have every field of its schema.
 */
export function absentCases(schema: DescMessage, payload: Payload): AbsentCase[] {
  return schema.fields.flatMap((field) => {
    const name = field.jsonName;
    const value = payload[name];
    if (value === undefined) throw new Error(`the payload lacks ${name}`);
    const { [name]: _, ...without } = payload;
    const zero = zeroOf(field);
    const same = [
      { ...payload, [name]: null },
      ...(zero === undefined ? [] : [{ ...payload, [name]: zero }]),
    ];
    const inside = field.fieldKind === "message" && isOwn(field.message) ? field.message : undefined;
    return [
      { field: name, without, same },
      ...(inside === undefined
        ? []
        : absentCases(inside, value as Payload).map((one) => nest(one, name, payload))),
    ];
  });
}

function nest({ field, without, same }: AbsentCase, name: string, payload: Payload): AbsentCase {
  const put = (inner: Payload): Payload => ({ ...payload, [name]: inner });
  return { field: `${name}.${field}`, without: put(without), same: same.map(put) };
}

/** Not google.protobuf.Struct and Value, which hold any JSON. */
function isOwn(message: DescMessage): boolean {
  return message.typeName.startsWith("valinor.");
}

/** The zero value of a field that is always there, and the empty list of one that is not; undefined if absent differs from zero. */
function zeroOf(field: DescField): unknown {
  if (field.fieldKind === "list") return [];
  if (field.presence !== FeatureSet_FieldPresence.IMPLICIT || field.scalar === undefined) return undefined;
  if (field.scalar === ScalarType.STRING) return "";
  return field.scalar === ScalarType.BOOL ? false : 0;
}
