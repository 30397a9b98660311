/** Begins a line of the console that holds the Result of a case. */
export const RESULT = "@@result ";

/** How a case went in the guest. */
export interface Result {
  readonly name: string;
  /** Empty if it passed. */
  readonly error: string;
  readonly ms: number;
  /** What it measured, by name and unit. */
  readonly figures: readonly { readonly name: string; readonly value: number; readonly unit: string }[];
}

/** Something to be tried in a guest. */
export interface Case {
  readonly name: string;
  /** Throws what is wrong; tells what it measures. */
  run(measured: (name: string, value: number, unit: string) => void): Promise<void>;
}
