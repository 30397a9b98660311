import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Makes a text that stands nowhere by chance, and reads the same in JSON, URLs and shells. */
export function makeCanary(name: string): string {
  return `canary-${name}-${randomBytes(12).toString("hex")}`;
}

/**
 * Where a canary stands in what was written, as it is or in base64, hexadecimal or UTF-16: names of `places`; none is what one
 * wants. A part of 16 characters is enough: logs may cut.
 */
export function findCanary(canary: string, places: Readonly<Record<string, Buffer | string>>): string[] {
  const tail = canary.slice(-16);
  const forms = [
    tail,
    canary.slice(0, -8),
    Buffer.from(canary).toString("hex"),
    Buffer.from(tail, "utf16le").toString("latin1"),
    // Three, since base64 depends on where in the whole the text begins; what its ends share with neighbours is left out.
    ...[0, 1, 2].map((shift) =>
      Buffer.from(" ".repeat(shift) + canary)
        .toString("base64url")
        .slice(4, -4),
    ),
  ];
  return Object.entries(places).flatMap(([place, content]) => {
    const text = typeof content === "string" ? content : content.toString("latin1");
    return forms.some((form) => text.includes(form)) ? [place] : [];
  });
}

/** Every file of a folder, at any depth, with its bytes, by path. */
export function filesIn(folder: string): Record<string, Buffer> {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) => join(folder, name));
  return Object.fromEntries(
    paths.filter((path) => statSync(path).isFile()).map((path) => [path, readFileSync(path)]),
  );
}
