/** A line of a comparison: in both texts, only in the old one, or only in the new one. */
export interface DiffLine {
  readonly kind: "same" | "removed" | "added";
  readonly text: string;
}

/** Differences above which no shortest comparison is looked for, as its cost grows with their square. */
const MAX_EDITS = 1_000;

/** Compares two texts line by line; the shortest way from one to the other (Myers), unless they have little in common. */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = before.split("\n");
  const b = after.split("\n");
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const middle = between(a.slice(start, a.length - end), b.slice(start, b.length - end));
  return [...a.slice(0, start).map(same), ...middle, ...a.slice(a.length - end).map(same)];
}

/** Lines of a comparison with `context` same ones around each difference; undefined stands for what was left out. */
export function foldSame(lines: readonly DiffLine[], context = 3): (DiffLine | undefined)[] {
  const near = new Set<number>();
  lines.forEach(({ kind }, index) => {
    if (kind === "same") return;
    for (let at = index - context; at <= index + context; at++) near.add(at);
  });
  const folded: (DiffLine | undefined)[] = [];
  lines.forEach((line, index) => {
    if (near.has(index)) folded.push(line);
    else if (index === 0 || near.has(index - 1)) folded.push(undefined);
  });
  return folded;
}

function between(a: readonly string[], b: readonly string[]): DiffLine[] {
  const trace = search(a, b);
  if (trace === undefined) return [...a.map(removed), ...b.map(added)];
  const lines: DiffLine[] = [];
  let x = a.length;
  let y = b.length;
  for (let d = trace.length - 1; d > 0; d--) {
    const reached = trace[d - 1] ?? new Map<number, number>();
    const down = goesDown(reached, x - y, d);
    const k = down ? x - y + 1 : x - y - 1;
    const fromX = reached.get(k) ?? 0;
    const fromY = fromX - k;
    while (x > (down ? fromX : fromX + 1) && y > (down ? fromY + 1 : fromY)) {
      lines.push(same(a[--x] ?? ""));
      y--;
    }
    lines.push(down ? added(b[--y] ?? "") : removed(a[--x] ?? ""));
  }
  while (x > 0) lines.push(same(a[--x] ?? ""));
  return lines.toReversed();
}

/** The farthest point reached on each diagonal after 0, 1, ... edits; undefined above MAX_EDITS. */
function search(a: readonly string[], b: readonly string[]): Map<number, number>[] | undefined {
  const trace: Map<number, number>[] = [];
  for (let d = 0; d <= MAX_EDITS; d++) {
    const last = trace.at(-1) ?? new Map([[1, 0]]);
    const reached = new Map<number, number>();
    for (let k = -d; k <= d; k += 2) {
      let x = goesDown(last, k, d) ? (last.get(k + 1) ?? 0) : (last.get(k - 1) ?? 0) + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++;
      reached.set(k, x);
      if (x >= a.length && x - k >= b.length) return [...trace, reached];
    }
    trace.push(reached);
  }
  return undefined;
}

function goesDown(reached: ReadonlyMap<number, number>, k: number, d: number): boolean {
  return k === -d || (k !== d && (reached.get(k - 1) ?? -1) < (reached.get(k + 1) ?? -1));
}

function same(text: string): DiffLine {
  return { kind: "same", text };
}

function removed(text: string): DiffLine {
  return { kind: "removed", text };
}

function added(text: string): DiffLine {
  return { kind: "added", text };
}
