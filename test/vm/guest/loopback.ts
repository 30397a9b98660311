import { absent } from "./absent.ts";
import { present } from "./present.ts";
import { type Case, RESULT, type Result } from "./results.ts";

// In the guest: carries out cases and prints a line for each.

const CASE_MS = 120_000;

async function carryOut(one: Case): Promise<Result> {
  const figures: { name: string; value: number; unit: string }[] = [];
  const started = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${CASE_MS} ms`)), CASE_MS);
  });
  let error = "";
  try {
    await Promise.race([one.run((name, value, unit) => figures.push({ name, value, unit })), late]);
  } catch (cause) {
    error = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
  }
  clearTimeout(timer);
  return { name: one.name, error, ms: performance.now() - started, figures };
}

for (const one of process.argv[2] === "absent" ? absent : present) {
  console.log(RESULT + JSON.stringify(await carryOut(one)));
}
process.exit();
