import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const file = join(import.meta.dirname, "../../.cache/vm/figures.json");

/** Prints a measured figure and keeps it in .cache/vm/figures.json. All of them are of a guest under software emulation. */
export function record(name: string, value: number, unit: string): void {
  const rounded = Number(value.toPrecision(3));
  console.log(`${name}: ${rounded} ${unit}`);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, `${JSON.stringify({ ...kept(), [name]: { value: rounded, unit } }, undefined, 2)}\n`);
}

/** The middle one of some measurements. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function kept(): object {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as object;
  } catch {
    return {};
  }
}
