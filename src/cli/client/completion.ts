import type { Command } from "commander";
import { CliError } from "../errors.ts";
import { bashScript } from "./completion-bash.ts";
import { commandWords } from "./completion-words.ts";
import { fishScript } from "./completion-fish.ts";
import { zshScript } from "./completion-zsh.ts";
import { writeOwn } from "./output.ts";

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** Prints the completion script of a shell, made from the commands that there are. Throws CliError for another shell. */
export function completion(shell: string, program: Command): void {
  if (!Object.hasOwn(scripts, shell))
    throw new CliError(`there are completions for bash, zsh and fish, not for ${shell}`, { exitCode: 2 });
  writeOwn(scripts[shell as keyof typeof scripts](commandWords(program)));
}
