/**
 * Looks at the server from within: loaded before it with `--import`, asked over the channel that its parent opened. A timer looks at
 * the CPU time of the thread; while turns of the loop are longer than its period it runs once a turn, so that the most CPU time between
 * two looks is the longest turn's, at most one period too long.
 */
import type { ProbeFigures } from "./harness.ts";

const PERIOD_MS = 5;

let longestTurnMs = 0;
let peakRss = 0;
let last = cpuMs();

setInterval(() => {
  const now = cpuMs();
  longestTurnMs = Math.max(longestTurnMs, now - last);
  last = now;
}, PERIOD_MS).unref();

setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
}, 20).unref();

process.on("message", (message) => {
  if (message === "begin") {
    longestTurnMs = 0;
    last = cpuMs();
    peakRss = process.memoryUsage.rss();
  }
  const figures: ProbeFigures = {
    longestTurnMs,
    rss: process.memoryUsage.rss(),
    peakRss: Math.max(peakRss, process.memoryUsage.rss()),
  };
  process.send?.(figures);
});
process.channel?.unref();

/** CPU time of this thread, milliseconds. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
