import type { CommandWord, FlagWord } from "./words.ts";

/** The script for zsh: a file `_valinor` in a directory of `$fpath`, or sourced after compinit. */
export function zshScript(commands: readonly CommandWord[]): string {
  return `#compdef valinor
# Completion of valinor for zsh. Load it in ~/.zshrc, after compinit: source <(valinor completion zsh)

# Ids of the agents; nothing if the server does not answer.
__valinor_agents() {
  local -a ids
  ids=(\${(f)"$(valinor agents ls -o json 2>/dev/null </dev/null | sed -n 's/^ *"id": "\\([A-Za-z0-9._-]*\\)",\\{0,1\\}$/\\1/p')"})
  compadd -a ids
}

${commands.map(commandFunction).join("\n")}
_valinor() { ${functionName("valinor")} "$@" }

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _valinor "$@"
else
  compdef _valinor valinor
fi
`;
}

function commandFunction({ path, flags, children, args }: CommandWord): string {
  const specs = flags.map(flagSpec);
  if (children.length === 0) {
    const places = args.map((argument, at) => quote(`${at + 1}:${argumentSpec(argument)}`));
    return `${functionName(path)}() {\n  _arguments ${[...specs, ...places].join(" \\\n    ")}\n}\n`;
  }
  const below = children.map((child) => `    ${child}) ${functionName(`${path} ${child}`)} ;;`).join("\n");
  return `${functionName(path)}() {
  local line state curcontext="$curcontext"
  _arguments -C ${specs.join(" \\\n    ")} \\
    ${quote(`1:command:(${children.join(" ")})`)} '*::rest:->rest'
  [[ $state == rest ]] || return
  case "$line[1]" in
${below}
  esac
}
`;
}

function flagSpec({ long, short, value, about }: FlagWord): string {
  const text = about.replaceAll(/[[\]:\\]/g, String.raw`\$&`);
  const names = short === undefined ? [long] : [long, short];
  const action = value === "none" ? "" : `:value:${valueAction(value)}`;
  return names.map((name) => quote(`${name}[${text}]${action}`)).join(" ");
}

function valueAction(value: Exclude<FlagWord["value"], "none">): string {
  if (value === "file") return "_files";
  if (value === "dir") return "_files -/";
  return value === "text" ? " " : `(${value.join(" ")})`;
}

function argumentSpec(argument: CommandWord["args"][number]): string {
  if (argument === "agent") return "agent:__valinor_agents";
  if (argument === "file") return "file:_files";
  return argument === "text" ? "text: " : `word:(${argument.join(" ")})`;
}

function functionName(path: string): string {
  return `__${path.replaceAll(/[^A-Za-z0-9]+/g, "_")}_command`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
