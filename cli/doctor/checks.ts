import { CliError } from "../terminal/errors.ts";
import { cell, note, type OutputForm, writeJson, writeOwn } from "../client/output.ts";

/** What a check found: `warn` may be meant so, `fail` can't work. */
export type CheckState = "ok" | "warn" | "fail";

/** One finding. */
export interface Check {
  /** What was looked at: `server`, `store`, `agent demo` ... */
  readonly name: string;
  readonly state: CheckState;
  /** What was found. */
  readonly detail: string;
  /** What to do about it; absent if there is nothing to do. */
  readonly hint?: string;
}

/** Takes findings as they come. */
export interface Report {
  add(check: Check): void;
  /** Ends the report. Throws CliError, exit code 1, if something failed. */
  end(): void;
}

/** Prints findings as lines, each at once; or, as JSON, all of them at the end. */
export function createReport(form: OutputForm | undefined): Report {
  const checks: Check[] = [];
  return {
    add(check) {
      checks.push(check);
      if (form !== "json") writeOwn(checkLines(check));
    },
    end() {
      const failed = checks.filter(({ state }) => state === "fail").length;
      if (form === "json") writeJson({ ok: failed === 0, checks });
      if (failed > 0) throw new CliError(`${failed} of ${checks.length} checks failed`);
      if (form !== "json") note("Nothing is wrong.");
    },
  };
}

function checkLines({ name, state, detail, hint }: Check): string {
  const line = `${state.padEnd(4)}  ${cell(name)}: ${cell(detail)}\n`;
  return hint === undefined ? line : `${line}      -> ${cell(hint)}\n`;
}
