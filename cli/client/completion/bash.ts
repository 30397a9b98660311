import type { CommandWord, FlagWord } from "./words.ts";

/** The script for bash 4 and newer. */
export function bashScript(commands: readonly CommandWord[]): string {
  return `${HEAD}
# What follows a flag: none, file, dir, text, or the words themselves.
__valinor_value() {
  case "$1" in
${commands.flatMap(valueLines).join("\n")}
    *) echo none ;;
  esac
}

# Commands below a command.
__valinor_children() {
  case "$1" in
${commands
  .filter(({ children }) => children.length > 0)
  .map(({ path, children }) => `    ${quote(path)}) echo ${quote(children.join(" "))} ;;`)
  .join("\n")}
  esac
}

# Flags of a command.
__valinor_flags() {
  case "$1" in
${commands.map(({ path, flags }) => `    ${quote(path)}) echo ${quote(flagNames(flags))} ;;`).join("\n")}
  esac
}

# The argument of a command at a place, from 0: agent, file, text, or the words themselves.
__valinor_argument() {
  case "$1:$2" in
${commands.flatMap(argumentLines).join("\n")}
  esac
}

${COMPLETE}`;
}

const HEAD = `# Completion of valinor for bash. Load it in ~/.bashrc: source <(valinor completion bash)

# Ids of the agents; nothing if the server does not answer.
__valinor_agents() {
  valinor agents ls -o json "\${__valinor_server[@]}" 2>/dev/null </dev/null |
    sed -n 's/^ *"id": "\\([A-Za-z0-9._-]*\\)",\\{0,1\\}$/\\1/p'
}
`;

/** Walks through the words of the line, and asks the tables above for what may follow. */
const COMPLETE = `_valinor() {
  local line="\${COMP_LINE:0:COMP_POINT}" at="valinor" cur="" word value pending="" behind="" count=0
  local -a words __valinor_server=()
  COMPREPLY=()
  # Not COMP_WORDS: those are split at the colons of a URL.
  read -ra words <<<"$line"
  if [[ $line != *[[:space:]] ]]; then
    cur="\${words[-1]}"
    unset "words[-1]"
  fi
  for word in "\${words[@]:1}"; do
    if [[ -n $pending ]]; then
      case "$pending" in --server | --tenant | --ca-file) __valinor_server+=("$pending" "$word") ;; esac
      pending=""
    elif [[ -z $behind && $word == -- ]]; then
      behind=1
    elif [[ -z $behind && $word == -?* ]]; then
      [[ $(__valinor_value "$at $word") == none ]] || pending="$word"
    elif [[ " $(__valinor_children "$at") " == *" $word "* ]]; then
      at="$at $word"
    elif [[ -n $(__valinor_children "$at") ]]; then
      # No such command.
      return
    else
      count=$((count + 1))
    fi
  done
  if [[ -n $pending ]]; then
    value=$(__valinor_value "$at $pending")
  elif [[ -z $behind && $cur == -* ]]; then
    value=$(__valinor_flags "$at")
  else
    value=$(__valinor_children "$at")
    [[ -n $value ]] || value=$(__valinor_argument "$at" "$count")
  fi
  case "$value" in
    "" | none | text) ;;
    agent) mapfile -t COMPREPLY < <(compgen -W "$(__valinor_agents)" -- "$cur") ;;
    file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    dir) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$value" -- "$cur") ;;
  esac
}

complete -o filenames -F _valinor valinor
`;

function valueLines({ path, flags }: CommandWord): string[] {
  return flags.flatMap(({ long, short, value }) => {
    if (value === "none") return [];
    const names = [long, ...(short === undefined ? [] : [short])].map((name) => quote(`${path} ${name}`));
    return [
      `    ${names.join(" | ")}) echo ${quote(typeof value === "string" ? value : value.join(" "))} ;;`,
    ];
  });
}

function argumentLines({ path, args }: CommandWord): string[] {
  return args.map((argument, at) => {
    const value = typeof argument === "string" ? argument : argument.join(" ");
    return `    ${quote(`${path}:${at}`)}) echo ${quote(value)} ;;`;
  });
}

function flagNames(flags: readonly FlagWord[]): string {
  return flags.flatMap(({ long, short }) => (short === undefined ? [long] : [long, short])).join(" ");
}

/** Names have letters, digits, spaces, colons and hyphens alone; quotes keep it so if that changes. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
