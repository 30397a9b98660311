/** What vitest's JSON report says of a run, as far as it is needed. */
export interface RunReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[] | null;
    }[];
  }[];
}

/** A test that failed in some run. */
export interface Flake {
  readonly file: string;
  /** Empty: the file itself failed, outside of its tests. */
  readonly title: string;
  /** Seeds of the runs in which it failed. */
  readonly seeds: number[];
  /** First line of what it said the first time. */
  readonly message: string;
}

/** The tests that failed in some of the runs, by their seeds, the most frequent first. */
export function tally(runs: ReadonlyMap<number, RunReport>): Flake[] {
  const flakes = new Map<string, Flake>();
  const add = (seed: number, file: string, title: string, message: string): void => {
    const key = `${file}\n${title}`;
    const flake = flakes.get(key) ?? { file, title, seeds: [], message: message.split("\n", 1)[0] ?? "" };
    flake.seeds.push(seed);
    flakes.set(key, flake);
  };
  for (const [seed, { testResults }] of runs) {
    for (const { name, status, message = "", assertionResults } of testResults) {
      const failed = assertionResults.filter((result) => result.status === "failed");
      for (const { fullName, failureMessages } of failed)
        add(seed, name, fullName, failureMessages?.[0] ?? "");
      if (status === "failed" && failed.length === 0) add(seed, name, "", message);
    }
  }
  return [...flakes.values()].toSorted((one, other) => other.seeds.length - one.seeds.length);
}
