import type { Command, Option } from "commander";

/** A flag, for completion. */
export interface FlagWord {
  /** `--output`. */
  readonly long: string;
  /** `-o`; undefined if there is none. */
  readonly short: string | undefined;
  /** What follows it: nothing, one of these words, a file, a directory, or any text. */
  readonly value: "none" | "file" | "dir" | "text" | readonly string[];
  readonly about: string;
}

/** A command, for completion. */
export interface CommandWord {
  /** Names from the top: `valinor agents ls`. */
  readonly path: string;
  readonly about: string;
  /** Names of the commands below it. */
  readonly children: readonly string[];
  readonly flags: readonly FlagWord[];
  /** Each of its arguments: an agent's id, a file, or any text. */
  readonly args: readonly ("agent" | "file" | "text" | readonly string[])[];
}

/** The tree of commands as a flat list, the top first. */
export function commandWords(command: Command, parents: readonly string[] = []): CommandWord[] {
  const names = [...parents, command.name()];
  const word: CommandWord = {
    path: names.join(" "),
    about: command.description(),
    children: command.commands.map((child) => child.name()),
    flags: [...command.options.map(flagWord), helpFlag],
    args: command.registeredArguments.map((argument) => argumentWord(argument.name())),
  };
  return [word, ...command.commands.flatMap((child) => commandWords(child, names))];
}

const helpFlag: FlagWord = { long: "--help", short: "-h", value: "none", about: "display help" };

function flagWord(option: Option): FlagWord {
  const { long, short, description: about } = option;
  return { long: long ?? "", short: short ?? undefined, value: valueOf(option), about };
}

function valueOf(option: Option): FlagWord["value"] {
  if (!option.required && !option.optional) return "none";
  if (option.argChoices !== undefined) return option.argChoices;
  if (option.long === "--status") return ["provisioning", "running", "stopped", "failed"];
  if (option.flags.endsWith("<file>")) return "file";
  return option.flags.endsWith("<dir>") ? "dir" : "text";
}

function argumentWord(name: string): CommandWord["args"][number] {
  if (name === "agent" || name === "file") return name;
  return name === "shell" ? ["bash", "zsh", "fish"] : "text";
}
