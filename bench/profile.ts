/** Reads a CPU profile that `bench/run.ts --profile` wrote and prints where the time of its second half went. */
import { readFileSync } from "node:fs";

/** The part of V8's .cpuprofile format that is used here. */
interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

const ROWS = 30;

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: node bench/profile.ts FILE.cpuprofile");
const profile = JSON.parse(readFileSync(file, "utf8")) as CpuProfile;
const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
const parents = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((id) => [id, node])));
const self = selfTimes(profile);
const busy = sum([...self].filter(([id]) => nameOf(id) !== "(idle)").map(([, us]) => us));

print("area, own time", groupSelf(areaOf));
print("function, own time", groupSelf(placeOf));
print("function with all that it calls", groupTotal());

function selfTimes({ samples, timeDeltas }: CpuProfile): Map<number, number> {
  const times = new Map<number, number>();
  // The first half holds the start and the warm-up.
  const from = sum(timeDeltas) / 2;
  let clock = 0;
  samples.forEach((id, index) => {
    const us = timeDeltas[index] ?? 0;
    clock += us;
    if (clock > from) times.set(id, (times.get(id) ?? 0) + us);
  });
  return times;
}

function groupSelf(keyOf: (id: number) => string): Map<string, number> {
  const groups = new Map<string, number>();
  for (const [id, us] of self) groups.set(keyOf(id), (groups.get(keyOf(id)) ?? 0) + us);
  return groups;
}

/** Each function once in a stack, however often it recurs. */
function groupTotal(): Map<string, number> {
  const groups = new Map<string, number>();
  for (const [id, us] of self) {
    const seen = new Set<string>();
    for (let at = nodes.get(id); at !== undefined; at = parents.get(at.id)) seen.add(placeOf(at.id));
    for (const place of seen) groups.set(place, (groups.get(place) ?? 0) + us);
  }
  return groups;
}

function nameOf(id: number): string {
  return nodes.get(id)?.callFrame.functionName || "(anonymous)";
}

function placeOf(id: number): string {
  const { url = "", lineNumber = 0 } = nodes.get(id)?.callFrame ?? {};
  return url === "" ? nameOf(id) : `${nameOf(id)} ${shorten(url)}:${lineNumber + 1}`;
}

function shorten(url: string): string {
  return url.replace(/^file:\/\/.*\/node_modules\//, "").replace(/^file:\/\/.*?\/(?=(src|gen|bench)\/)/, "");
}

/** A layer of this project, a library, or a module of Node. */
function areaOf(id: number): string {
  const url = nodes.get(id)?.callFrame.url ?? "";
  if (url === "") return nameOf(id).startsWith("(") ? nameOf(id) : "V8 and system calls";
  const short = shorten(url);
  if (short.startsWith("node:")) return short.split("/").slice(0, 2).join("/");
  const parts = short.split("/");
  return parts.slice(0, short.startsWith("@") || parts[0] === "src" ? 2 : 1).join("/");
}

function print(title: string, groups: Map<string, number>): void {
  console.log(`\n${title}`);
  const rows = [...groups].filter(([name]) => name !== "(idle)" && name !== "(root)");
  for (const [name, us] of rows.toSorted(([, a], [, b]) => b - a).slice(0, ROWS)) {
    console.log(`${((us / busy) * 100).toFixed(1).padStart(6)} %  ${name}`);
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
