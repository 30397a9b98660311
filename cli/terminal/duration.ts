import { CliError } from "./errors.ts";

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The milliseconds of `90s`, `15m`, `12h` or `30d`. Throws CliError, which names the flag. */
export function parseDuration(text: string, flag: string): number {
  const match = /^([1-9]\d{0,5})([smhd])$/.exec(text);
  if (match === null)
    throw new CliError(`${flag} must be like 15m, 12h or 30d, not ${text}`, { exitCode: 2 });
  return Number(match[1]) * (units[match[2] ?? ""] ?? 0);
}
