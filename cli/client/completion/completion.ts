import type { Command } from "commander";
import { CliError } from "../../terminal/errors.ts";
import { bashScript } from "./bash.ts";
import { commandWords } from "./words.ts";
import { fishScript } from "./fish.ts";
import { zshScript } from "./zsh.ts";
import { writeOwn } from "../output.ts";

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Prints the completion script of a shell, made from the existing commands. Throws CliError for another shell. */
export function completion(shell: string, program: Command): void {
  if (!Object.hasOwn(scripts, shell))
    throw new CliError(`there are completions for bash, zsh and fish, not for ${shell}`, { exitCode: 2 });
  writeOwn(scripts[shell as keyof typeof scripts](commandWords(program)));
}
