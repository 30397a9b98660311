/**
 * The rule of clocks, as a function from files to what breaks it; test/clock.test.ts applies it. The wall clock steps when somebody
 * sets it: ages, deadlines and durations are measured by monotonicNow() of protocol/wire/clock.ts, or by performance.now() if that is not
 * at hand. The wall clock is read only where a time is data, for people or other programs, and each such place is listed here.
 */
import type { Files, Violation } from "./layout.ts";

/** Why a file may read the wall clock. */
export interface WallClock {
  /** How often it reads it. */
  readonly uses: number;
  /** How often it takes two of its times from one another. */
  readonly differences?: number;
  readonly reason: string;
}

/** Files that may read the wall clock. */
export const wallClocks: Readonly<Record<string, WallClock>> = {
  "agent/log.ts": { uses: 1, reason: "the time of a log line" },
  "src/auth/authenticate.ts": { uses: 1, reason: "tokens and keys expire at a date that others have set" },
  "src/auth/keys.ts": {
    uses: 0,
    differences: 1,
    reason: "whether the stored date of a key's last use is the present one",
  },
  "cli/client/agents/agents-watch.ts": { uses: 1, reason: "the time of a line for people" },
  "cli/server/human-log.ts": { uses: 1, reason: "the time of a log line for people" },
  "cli/server/keys.ts": { uses: 2, reason: "the date at which a key expires" },
  "dev/model/wire.ts": { uses: 1, reason: "`created` of a completion" },
  "cli/server/token.ts": { uses: 1, reason: "the date at which a token expires" },
  "src/http/openai/chat-route.ts": { uses: 1, reason: "`created` of a completion" },
  "src/rpc/agent-messages.ts": {
    uses: 1,
    differences: 1,
    reason: "an age, told as the date that the API has for it",
  },
  "src/store/queries/agent-creation.ts": { uses: 1, reason: "dates of records" },
  "src/store/queries/agent-queries.ts": { uses: 1, reason: "dates of records" },
  "src/store/queries/audit-queries.ts": { uses: 1, reason: "the date of an audit entry" },
  "src/store/queries/config-queries.ts": { uses: 3, reason: "dates of revisions" },
  "src/store/queries/context-queries.ts": { uses: 1, reason: "the date of a context entry" },
  "src/store/queries/key-queries.ts": { uses: 2, reason: "dates of API keys" },
  "web/src/chat/conversations.ts": { uses: 1, reason: "the date of a conversation" },
  "web/src/chat/reader.ts": {
    uses: 1,
    differences: 1,
    reason: "when a run was sent, kept over reloads of the page, whose monotonic clocks begin anew",
  },
  "web/src/chat/store.ts": { uses: 1, reason: "the same" },
  "web/src/context/entries.ts": { uses: 1, reason: "the date of a context entry" },
};

const READS =
  /\bDate\s*\.\s*now\b|\bnew\s+Date\s*(?:\(\s*\)|(?![\w(]))|(?<!new\s)\bDate\s*\(|\bperformance\s*\.\s*timeOrigin\b|\bTemporal\s*\.\s*Now\b/g;
const DIFFERENCES =
  /\.(?:getTime|valueOf)\s*\(\s*\)\s*-(?!-)|-\s*[\w$.?!()[\]]+\.(?:getTime|valueOf)\s*\(\s*\)|\bDate\s*\.\s*now\s*\(\s*\)\s*-(?!-)|-\s*Date\s*\.\s*now\b/g;
const COMMENTS = /\/\*[\s\S]*?\*\/|(?<![:"'`\w])\/\/[^\n]*/g;

/** Files that read the wall clock, or take wall times from one another, more or less often than is listed. */
export function findWallClocks(files: Files, allowed: typeof wallClocks): Violation[] {
  const found = [...files].flatMap(([file, text]) => {
    const code = text.replaceAll(COMMENTS, "");
    const { uses = 0, differences = 0 } = allowed[file] ?? {};
    const reads = [...code.matchAll(READS)].length;
    const measured = [...code.matchAll(DIFFERENCES)].map(([match]) => match);
    return [
      ...(reads === uses ? [] : [`reads the wall clock ${reads} times, and ${uses} are listed`]),
      ...(measured.length === differences ? [] : [`measures by the wall clock: ${measured.join(" and ")}`]),
    ].map((problem) => ({ file, problem }));
  });
  const gone = Object.keys(allowed).filter((file) => !files.has(file));
  return [...found, ...gone.map((file) => ({ file, problem: "is listed, and is not there" }))];
}
