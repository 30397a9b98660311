import { expect } from "vitest";
import { UnexpectedErrors } from "../../src/fleet/unexpected.ts";
import { afterFile } from "./cleanup.ts";

/** A line about an error that nobody expected. */
export interface ErrorLine {
  readonly text: string;
  readonly err: Error;
}

/** Takes errors that nobody expects, for a test to look at. */
export class KeptErrors extends UnexpectedErrors {
  readonly lines: ErrorLine[];

  constructor() {
    const lines: ErrorLine[] = [];
    const error = (fields: object, text: string) => void lines.push({ text, ...fields } as never);
    super({ error, warn: () => {} });
    this.lines = lines;
  }
}

/** As KeptErrors; the file fails if there were any. */
export function noUnexpectedErrors(): UnexpectedErrors {
  const errors = new KeptErrors();
  afterFile(async () => {
    errors.flush();
    expect(errors.lines).toEqual([]);
  });
  return errors;
}
