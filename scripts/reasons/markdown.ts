import type { ReasonRow } from "./read.ts";

/** What stands before and after a table that is made: the text around it is written by hand. */
const begin = (table: string): string =>
  `<!-- ${table}: made by npm run generate from proto/valinor/v1/reasons.proto -->`;
const END = "<!-- end -->";

/** docs/errors.md with its tables made anew. Throws if the page has no place for one. */
export function markdownPage(rows: readonly ReasonRow[], page: string): string {
  const servers = rows.filter((row) => row.status !== undefined);
  const clients = rows.filter((row) => row.status === undefined);
  return replaceTable(
    replaceTable(page, "server's reasons", serverTable(servers)),
    "clients' reasons",
    clientTable(clients),
  );
}

function serverTable(rows: readonly ReasonRow[]): string[] {
  return [
    "| reason | Connect code | REST | text | meaning | what to do | retry | exit code |",
    "|---|---|---|---|---|---|---|---|",
    ...rows.map(({ name, code, status, text, meaning, advice, retry, exitCode }) =>
      line([name, code, status, text, meaning, advice, retry, exitCode]),
    ),
  ];
}

function clientTable(rows: readonly ReasonRow[]): string[] {
  return [
    "| reason | code | meaning | what to do | retry | exit code |",
    "|---|---|---|---|---|---|",
    ...rows.map(({ name, code, meaning, advice, retry, exitCode }) =>
      line([name, code, meaning, advice, retry, exitCode]),
    ),
  ];
}

function line(cells: readonly (string | number | undefined)[]): string {
  return `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|")).join(" | ")} |`;
}

function replaceTable(page: string, table: string, lines: readonly string[]): string {
  const start = page.indexOf(begin(table));
  const end = page.indexOf(END, start);
  if (start < 0 || end < 0) throw new Error(`docs/errors.md has no place for the table of the ${table}`);
  return `${page.slice(0, start)}${begin(table)}\n${lines.join("\n")}\n${page.slice(end)}`;
}
