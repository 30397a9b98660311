// Counts tests over several reports and prints `N passed, N failed, N skipped`, after the names of those that failed.
// Arguments are files of vitest's JSON reporter (*.vitest.json) and of `go test -json` (*.go.json). A report that is
// missing or broken, a file or package that failed outside of any test, and a run that failed without saying where (a file
// REPORT.failed stands beside its report) count as one failure each: a suite that died is never a success. Exits 1 if
// anything failed or nothing passed.
import { existsSync, readFileSync } from "node:fs";

/** @typedef {{ passed: number, skipped: number, failures: string[] }} Count */

/** @param {string} path @returns {Count} */
function countReport(path) {
  try {
    const text = readFileSync(path, "utf8");
    const count = path.endsWith(".go.json") ? countGo(text) : countVitest(JSON.parse(text));
    if (count.failures.length === 0 && existsSync(`${path}.failed`)) {
      count.failures.push(`${path}: the run failed outside of its tests`);
    }
    return count;
  } catch (error) {
    return { passed: 0, skipped: 0, failures: [`${path}: no report (${error.message})`] };
  }
}

function countVitest(report) {
  const count = { passed: 0, skipped: 0, failures: [] };
  for (const file of report.testResults) {
    const tests = file.assertionResults;
    const failed = tests.filter((test) => test.status === "failed");
    const passed = tests.filter((test) => test.status === "passed").length;
    count.passed += passed;
    count.skipped += tests.length - passed - failed.length;
    count.failures.push(...failed.map((test) => `${file.name}: ${test.fullName}`));
    if (file.status === "failed" && failed.length === 0) count.failures.push(`${file.name}: ${file.message}`);
  }
  if (!report.success && count.failures.length === 0)
    count.failures.push("vitest: an error outside of any test");
  return count;
}

function countGo(text) {
  const results = readGoResults(text);
  const count = { passed: 0, skipped: 0, failures: [] };
  for (const [name, action] of results.tests) {
    // A test with subtests is counted by them.
    if ([...results.tests.keys()].some((other) => other.startsWith(`${name}/`))) continue;
    if (action === "pass") count.passed += 1;
    else if (action === "skip") count.skipped += 1;
    else count.failures.push(`${name}\n${results.output.get(name) ?? ""}`);
  }
  for (const [name, build] of results.failedPackages) {
    if (count.failures.some((failure) => failure.startsWith(`${name} `))) continue;
    count.failures.push(`${name}\n${results.output.get(build) ?? ""}${results.output.get(name) ?? ""}`);
  }
  return count;
}

function readGoResults(text) {
  const results = { tests: new Map(), failedPackages: new Map(), output: new Map() };
  for (const line of text.split("\n").filter(Boolean)) {
    const event = JSON.parse(line);
    const owner = event.Package ?? event.ImportPath;
    const name = event.Test === undefined ? owner : `${owner} ${event.Test}`;
    if (event.Output !== undefined) {
      results.output.set(name, (results.output.get(name) ?? "") + event.Output);
    } else if (["pass", "fail", "skip"].includes(event.Action)) {
      if (event.Test !== undefined) results.tests.set(name, event.Action);
      else if (event.Action === "fail") results.failedPackages.set(name, event.FailedBuild);
    }
  }
  return results;
}

const counts = process.argv.slice(2).map(countReport);
const passed = counts.reduce((sum, count) => sum + count.passed, 0);
const skipped = counts.reduce((sum, count) => sum + count.skipped, 0);
const failures = counts.flatMap((count) => count.failures);
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${passed} passed, ${failures.length} failed, ${skipped} skipped`);
process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0;
