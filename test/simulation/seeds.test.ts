import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Plan } from "./plan.ts";
import { simulate } from "./simulate.ts";

/** Plans of worlds that broke a rule once, as small as they could be made; README.md says what was wrong in each. */
const FOLDER = join(import.meta.dirname, "found");

const found = readdirSync(FOLDER).map((file): [string, Plan] => [
  file,
  JSON.parse(readFileSync(join(FOLDER, file), "utf8")) as Plan,
]);

describe("what the simulation has found", () => {
  it.each(found)("does not come back: %s", (_file, plan) => {
    expect(simulate(plan).violation).toBeUndefined();
  });
});
