/**
 * Runs a suite again and again while other processes take the processors, and tells which tests failed: those are flaky.
 *
 *     npm run test:flaky -- [--runs 20] [--load 2] [VITEST ARGUMENTS: files, --config test/crash/vitest.config.ts ...]
 *
 * Each run has a seed of its own for the order of the tests: `npx vitest run --sequence.seed SEED FILES` repeats it. Exits with 1 if a
 * test failed or a run gave no report, with 2 if the command line is wrong.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { type RunReport, tally } from "./tally.ts";

const root = join(import.meta.dirname, "../..");
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");

const { values, tokens } = parseArgs({
  options: { runs: { type: "string", default: "20" }, load: { type: "string", default: "2" } },
  strict: false,
  tokens: true,
});
const own = new Set(
  tokens.flatMap((token) =>
    token.kind === "option" && (token.name === "runs" || token.name === "load")
      ? token.inlineValue === false
        ? [token.index, token.index + 1]
        : [token.index]
      : [],
  ),
);
const rest = process.argv.slice(2).filter((_, index) => !own.has(index));
const runs = Number(values["runs"]);
const load = Number(values["load"]);
if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(load) || load < 0) {
  console.error("--runs must be a whole number from 1, --load one from 0");
  process.exit(2);
}

/** One run of the suite; its report, or undefined if it gave none. */
async function runOnce(seed: number, folder: string): Promise<RunReport | undefined> {
  const file = join(folder, `${seed}.json`);
  const reports = ["--reporter=dot", "--reporter=json", `--outputFile.json=${file}`];
  const args = [vitest, "run", ...reports, `--sequence.seed=${seed}`, ...rest];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  await once(child, "close");
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as RunReport) : undefined;
}

const folder = mkdtempSync(join(tmpdir(), "valinor-flaky-"));
const burners = Array.from({ length: load }, () =>
  spawn(process.execPath, ["-e", "for (;;);"], { stdio: "ignore" }),
);
const endLoad = (): void => burners.forEach((burner) => burner.kill("SIGKILL"));
process.once("exit", endLoad);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const reports = new Map<number, RunReport>();
let missing = 0;
for (let run = 1; run <= runs; run++) {
  const seed = Date.now() % 2 ** 31;
  const began = performance.now();
  const report = await runOnce(seed, folder);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  if (report === undefined) missing++;
  else reports.set(seed, report);
  const failed = report === undefined ? "no report" : `${tally(new Map([[seed, report]])).length} failed`;
  console.log(`run ${run} of ${runs}, seed ${seed}: ${failed}, ${seconds} s`);
}
rmSync(folder, { recursive: true, force: true });

const flakes = tally(reports);
for (const { file, title, seeds, message } of flakes)
  console.log(
    `${file.replace(`${root}/`, "")}: ${title || "(the file)"}: failed ${seeds.length} of ${runs}, seeds ${seeds.join(", ")}\n  ${message}`,
  );
console.log(
  `${runs} runs beside ${load} busy processes: ${flakes.length} tests failed, ${missing} runs gave no report`,
);
if (flakes.length > 0 || missing > 0) process.exitCode = 1;
endLoad();
