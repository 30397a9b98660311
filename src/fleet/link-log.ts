import type { AgentKey } from "../store/store.ts";

/** Where lines about links go. */
export interface LinkLines {
  /** A link came up or went down. */
  changed(key: AgentKey, up: boolean, detail: string): void;
  /** More happened to an agent's link than was told: so many further changes since, and how it stands now. */
  summary(key: AgentKey, changes: number, up: boolean, detail: string): void;
}

/** Changes of one agent's link that are told in a window; a start, a stop and a start again are three. */
const TOLD = 4;
/** As many are told if each says another reason: an operator who looks for one wants to see it. */
const TOLD_REASONS = 12;
const WINDOW_MS = 60_000;
/** Longest detail; ours are a sentence. */
const MOST_DETAIL = 300;

interface Tally {
  readonly key: AgentKey;
  changes: number;
  told: number;
  readonly reasons: Set<string>;
  up: boolean;
  detail: string;
}

/** Tells of links that come and go: a link that flaps is told of a few times a minute, and then how often it did. */
export class LinkLog {
  readonly #lines: LinkLines;
  readonly #tallies = new Map<string, Tally>();
  #timer: NodeJS.Timeout | undefined;

  constructor(lines: LinkLines) {
    this.#lines = lines;
  }

  /** A link came up or went down. */
  changed(key: AgentKey, up: boolean, text: string): void {
    const detail = text.length > MOST_DETAIL ? `${text.slice(0, MOST_DETAIL)}...` : text;
    const name = `${key.tenant}/${key.id}`;
    const tally = this.#tallies.get(name) ?? { key, changes: 0, told: 0, reasons: new Set(), up, detail };
    this.#tallies.set(name, tally);
    this.#timer ??= setTimeout(() => this.flush(), WINDOW_MS).unref();
    Object.assign(tally, { changes: tally.changes + 1, up, detail });
    if (!isTold(tally)) return;
    tally.told++;
    tally.reasons.add(detail);
    this.#lines.changed(key, up, detail);
  }

  /** Tells now what was left out, and begins a new window: at the end of the process. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const tallies = [...this.#tallies.values()];
    this.#tallies.clear();
    for (const { key, changes, told, up, detail } of tallies)
      if (changes > told) this.#lines.summary(key, changes - told, up, detail);
  }
}

function isTold({ told, reasons, detail }: Tally): boolean {
  return told < TOLD || (told < TOLD_REASONS && !reasons.has(detail));
}

/** Where the lines are written; pino has this shape. */
export interface LineLogger {
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
}

/** Makes the log of links that writes to a logger. */
export function linkLogTo(logger: LineLogger): LinkLog {
  const text = (up: boolean) => (up ? "link up" : "link down");
  return new LinkLog({
    changed({ tenant, id }, up, detail) {
      logger.info({ tenant, agent: id, detail }, text(up));
    },
    summary({ tenant, id }, changes, up, detail) {
      logger.warn({ tenant, agent: id, changes, detail }, `link flaps: ${text(up)}`);
    },
  });
}
