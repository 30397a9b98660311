import { InvalidArgumentError } from "commander";

/** Reads a port of an option; throws InvalidArgumentError. */
export function port(value: string): number {
  const number = Number(value);
  if (!/^\d+$/.test(value) || number > 65_535)
    throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return number;
}
