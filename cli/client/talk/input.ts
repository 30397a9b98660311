import { readFileSync } from "node:fs";
import { CliError } from "../../terminal/errors.ts";
import { limits, errorText } from "@valinor/protocol";

/** Most that is read of a file or of stdin; servers take less. */
const MAX_BYTES = limits.frameBytes;

/**
 * The text that a command is given: the argument; or stdin, for `-`, or if there is no argument and stdin is not a terminal. One
 * newline at the end of stdin is left out if `trim` says so: `echo` and editors put it there. Rejects with CliError.
 */
export async function readInput(
  argument: string | undefined,
  what: string,
  options: { readonly trim?: boolean; readonly signal?: AbortSignal } = {},
): Promise<string> {
  if (argument !== undefined && argument !== "-") return argument;
  if (argument === undefined && process.stdin.isTTY)
    throw new CliError(`give the ${what} as an argument, or pipe it in`, { exitCode: 2 });
  const text = decode(await readStdin(options.signal), "stdin");
  return options.trim === true ? text.replace(/\r?\n$/, "") : text;
}

/** The text of a file, or of stdin for `-`. Rejects with CliError. */
export async function readFileOrStdin(file: string, signal?: AbortSignal): Promise<string> {
  if (file === "-") return decode(await readStdin(signal), "stdin");
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new CliError(`${file} can't be read: ${errorText(error)}`, {
      cause: error,
      exitCode: 2,
    });
  }
  if (bytes.length > MAX_BYTES) throw tooLarge(file);
  return decode(bytes, file);
}

async function readStdin(signal?: AbortSignal): Promise<Buffer> {
  const stop = (): void => void process.stdin.destroy();
  signal?.addEventListener("abort", stop);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of process.stdin) {
      const bytes = Buffer.from(chunk as Buffer);
      size += bytes.length;
      if (size > MAX_BYTES) throw tooLarge("stdin");
      chunks.push(bytes);
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  signal?.throwIfAborted();
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CliError(`${name} is not text in UTF-8`, { cause: error, exitCode: 2 });
  }
}

function tooLarge(name: string): CliError {
  return new CliError(`${name} has over ${MAX_BYTES} bytes`, { exitCode: 2 });
}
