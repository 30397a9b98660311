import { fork } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Job, Report } from "./worker.ts";
import { targetNamed, targets } from "./targets.ts";

const USAGE = `npm run test:fuzz -- [flags]

  --seconds N     time for all targets together (60)
  --seed S        number that decides every input (a random one, printed)
  --target NAME   only this one: ${targets.map(({ name }) => name).join(", ")}
  --from N        begin at this input of the target
  --input FILE    try the input of a finding alone
  --frames N      fail if fewer frames went over the link (0)

Whatever crashes, hangs, reaches the wrong one or holds the loop for 100 ms of CPU time is a finding: its input is left in
test/fuzz/findings, and the exit status is 1.
`;

const FINDINGS = join(import.meta.dirname, "findings");

interface Outcome {
  readonly items: number;
  readonly inputs: number;
  readonly longestMs: number;
  readonly finding: string | undefined;
}

function readFlags() {
  const { values } = parseArgs({
    options: {
      seconds: { type: "string", default: "60" },
      seed: { type: "string", default: String(1 + Math.floor(Math.random() * 0x7fff_fffe)) },
      target: { type: "string" },
      from: { type: "string", default: "0" },
      input: { type: "string" },
      frames: { type: "string", default: "0" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const number = (name: "seconds" | "seed" | "from" | "frames") => {
    const value = Number(values[name]);
    if (!/^\d+$/.test(values[name])) throw new Error(`--${name} is a number, not ${values[name]}`);
    return value;
  };
  const named = values.target === undefined ? undefined : targetNamed(values.target);
  const chosen = values.target === undefined ? targets : named === undefined ? [] : [named];
  if (chosen.length === 0) throw new Error(`there is no target ${values.target}\n\n${USAGE}`);
  if (values.input !== undefined && chosen.length > 1) throw new Error("--input needs --target");
  return {
    help: values.help,
    input: values.input,
    chosen,
    seconds: number("seconds"),
    seed: number("seed"),
    from: number("from"),
    frames: number("frames"),
  };
}

/** Runs one target in a process of its own, so that a crash is seen. */
function attack(job: Job): Promise<Outcome> {
  const child = fork(join(import.meta.dirname, "worker.ts"), [JSON.stringify(job)], {
    execArgv: ["--max-old-space-size=768"],
  });
  let progress = { inputs: 0, items: 0, longestMs: 0 };
  let finding: string | undefined;
  const late = setTimeout(() => child.kill("SIGKILL"), (job.seconds + 120) * 1000);
  child.on("message", (report: Report) => {
    if (report.kind === "progress") progress = report;
    else finding = keepFinding(job, report);
  });
  return new Promise((resolve) => {
    child.on("close", (code, signal) => {
      clearTimeout(late);
      if (code !== 0) finding ??= `it ended with ${signal ?? code} after input ${job.from + progress.inputs}`;
      resolve({ ...progress, finding });
    });
  });
}

function keepFinding(job: Job, { input, at, what }: Report & { kind: "finding" }): string {
  mkdirSync(FINDINGS, { recursive: true });
  const file = join(FINDINGS, `${job.target.replace(/[^\w.]+/g, "-")}-${job.seed}-${at}.bin`);
  writeFileSync(file, Buffer.from(input, "base64"));
  return `${what}\n  input ${at}, left in ${file}\n  again: npm run test:fuzz -- --target '${job.target}' --input ${file}`;
}

async function main(): Promise<void> {
  const { help, chosen, seconds, seed, from, input, frames } = readFlags();
  if (help) return void process.stdout.write(USAGE);
  console.log(`seed ${seed}, ${seconds} s`);
  const weights = chosen.reduce((sum, { weight }) => sum + weight, 0);
  let failed = 0;
  let overLink = 0;
  for (const { name, weight } of chosen) {
    const share = Math.max(1, Math.round((seconds * weight) / weights));
    const outcome = await attack({ target: name, seed, seconds: share, from, input });
    const { items, inputs, longestMs, finding } = outcome;
    if (/^frames|^decoder/.test(name)) overLink += items;
    console.log(
      `${name}: ${inputs} inputs, ${items} items, longest turn ${longestMs.toFixed(0)} ms of CPU time, ${share} s`,
    );
    if (finding === undefined) continue;
    failed++;
    console.error(`FOUND by ${name} (seed ${seed}): ${finding}`);
  }
  console.log(`frames over the link: ${overLink}`);
  if (overLink < frames) console.error(`fewer than the ${frames} frames that were asked for`);
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  process.exitCode = failed > 0 || overLink < frames ? 1 : 0;
}

await main();
