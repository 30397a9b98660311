import type { CommandWord, FlagWord } from "./words.ts";

/** The script for fish 3 and newer. */
export function fishScript(commands: readonly CommandWord[]): string {
  const known = new Map(commands.map((command) => [command.path, command]));
  return `# Completion of valinor for fish. Load it in config.fish: valinor completion fish | source

# Ids of the agents; nothing if the server does not answer.
function __valinor_agents
  valinor agents ls -o json 2>/dev/null </dev/null | string match -rg '^ *"id": "([A-Za-z0-9._-]*)",?$'
end

# Whether the words so far are these ones and, at most, flags and arguments behind them.
function __valinor_at
  set -l words (commandline -opc)
  test "$words[1..(count $argv)]" = "$argv"
end

# Whether a command of a group is still to be named.
function __valinor_group
  test (count (commandline -opc)) -eq (count $argv); and __valinor_at $argv
end

complete -c valinor -f
${commands.flatMap((command) => lines(command, known)).join("\n")}
`;
}

function lines(command: CommandWord, known: ReadonlyMap<string, CommandWord>): string[] {
  const { path, children, flags, args } = command;
  const start = `complete -c valinor -n ${quote(`${children.length > 0 ? "__valinor_group" : "__valinor_at"} ${path}`)}`;
  const below = children.map((child) => {
    const about = known.get(`${path} ${child}`)?.about ?? "";
    return `${start} -a ${quote(child)} -d ${quote(about)}`;
  });
  const own = flags.map((flag) => `${start} ${flagWords(flag)} -d ${quote(flag.about)}`);
  const places = [...new Set(args)].flatMap((argument) => {
    if (argument === "agent") return [`${start} -a '(__valinor_agents)'`];
    if (argument === "file") return [`${start} -F`];
    return argument === "text" ? [] : [`${start} -a ${quote(argument.join(" "))}`];
  });
  return [...below, ...own, ...places];
}

function flagWords({ long, short, value }: FlagWord): string {
  const names = [`-l ${long.slice(2)}`, ...(short === undefined ? [] : [`-s ${short.slice(1)}`])].join(" ");
  if (value === "none") return names;
  if (value === "file") return `${names} -r -F`;
  if (value === "dir") return `${names} -x -a '(__fish_complete_directories)'`;
  return value === "text" ? `${names} -x` : `${names} -x -a ${quote(value.join(" "))}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", String.raw`\'`)}'`;
}
