/** What a test makes of a block: its info string says so behind the language, as in "```ts run main.ts". */
export const VERBS = ["run", "save", "serve", "install"] as const;

/** A fenced block of a page. */
export interface Block {
  /** Line of the page that opens it. */
  readonly line: number;
  readonly language: string;
  /** One of VERBS; empty if the info string has none. */
  readonly verb: string;
  /** File that it is to be; empty if the info string names none. */
  readonly file: string;
  readonly code: string;
  /** Text of the block of language `text` right behind it: what it prints. */
  readonly output: string | undefined;
}

/** A heading of the second level and the blocks under it. */
export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** Finds a page's sections and blocks. */
export function parsePage(markdown: string): Section[] {
  const sections: { title: string; blocks: Block[] }[] = [];
  let behind = -1;
  for (const match of markdown.matchAll(/^## (?<title>.+)$|^```(?<info>.*)\n(?<code>[^]*?)^```$/gm)) {
    const { title, info = "", code = "" } = match.groups ?? {};
    if (title !== undefined) {
      sections.push({ title, blocks: [] });
      continue;
    }
    const blocks = sections.at(-1)?.blocks;
    if (blocks === undefined) throw new Error("a block stands before the first heading");
    const [language = "", verb = "", file = ""] = info.split(" ");
    const line = markdown.slice(0, match.index).split("\n").length;
    const last = blocks.at(-1);
    if (language === "text" && behind === match.index && last !== undefined)
      blocks.splice(-1, 1, { ...last, output: code });
    else blocks.push({ line, language, verb, file, code, output: undefined });
    behind = match.index + match[0].length + 1;
  }
  return sections;
}

/** A command of a block of language `console`, and what the page says that it prints. */
export interface Command {
  readonly command: string;
  readonly output: string;
}

/** Finds the commands of a block of language `console`: lines that begin with `$ `, and their continuations. */
export function commandsOf({ code }: Block): Command[] {
  return code
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [command = ""] = /^(?:.*\\\n)*.*\n/.exec(text) ?? [];
      return { command, output: text.slice(command.length) };
    });
}

/**
 * Makes a pattern of what a page says that is printed: `...` stands for anything, and so does a UUID for every other one. It is
 * for texts that went through `squeeze`.
 */
export function patternOf(output: string): RegExp {
  const pattern = squeeze(output)
    .split(/( ?\.\.\. ?|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})/)
    .map((part, index) =>
      index % 2 === 0 ? RegExp.escape(part) : part.includes("...") ? "[^]*?" : "[\\da-f-]{36}",
    );
  return new RegExp(`^${pattern.join("")}$`);
}

/** Makes the form in which outputs are compared: pages break long lines, and tools indent JSON as they like. */
export function squeeze(output: string): string {
  return output
    .replaceAll(/\s+/g, " ")
    .replaceAll(/ ?([[\]{},:]) ?/g, "$1")
    .trim();
}
