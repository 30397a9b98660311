/**
 * Writes what follows from proto/valinor/v1/reasons.proto: gen/ts/reasons.ts, clients/go/client/reasons.go and the tables of
 * docs/errors.md. `npm run generate` runs it after buf; with `--check` it writes nothing, and fails if a file is not what it would
 * write.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { goFile } from "./go.ts";
import { markdownPage } from "./markdown.ts";
import { readReasons } from "./read.ts";
import { typescriptFile } from "./typescript.ts";

const top = join(import.meta.dirname, "../..");
const { domain, rows } = readReasons();
const page = "docs/errors.md";
const files = {
  "gen/ts/reasons.ts": typescriptFile(domain, rows),
  "clients/go/client/reasons.go": goFile(domain, rows),
  [page]: markdownPage(rows, readFileSync(join(top, page), "utf8")),
};

for (const [name, text] of Object.entries(files)) {
  const path = join(top, name);
  if (!process.argv.includes("--check")) {
    writeFileSync(path, text);
  } else if (readFileSync(path, "utf8") !== text) {
    process.stderr.write(
      `${name} is not what reasons.proto says: run npm run generate, and commit what it changes\n`,
    );
    process.exitCode = 1;
  }
}
