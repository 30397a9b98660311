/**
 * Looks at the server from within: loaded before it with `--import`, asked over the channel that its parent opened. A timer looks at
 * the CPU time of the thread; while turns of the loop are longer than its period it runs once a turn, so that the most CPU time between
 * two looks is the longest turn's, at most one period too long.
 */
import { threadCpuMs } from "../helpers/cpu.ts";
import type { ProbeFigures } from "./harness.ts";

const PERIOD_MS = 5;

let longestTurnMs = 0;
let peakRss = 0;
let last = threadCpuMs();

setInterval(() => {
  const now = threadCpuMs();
  longestTurnMs = Math.max(longestTurnMs, now - last);
  last = now;
}, PERIOD_MS).unref();

setInterval(() => {
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
}, 20).unref();

process.on("message", (message) => {
  if (message === "begin") {
    longestTurnMs = 0;
    last = threadCpuMs();
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
