import { LogLimit } from "@valinor/protocol";
import type { AgentKey } from "../store/store.ts";

/** Where lines about links go. */
export interface LinkLines {
  /** A link came up or went down. */
  changed(key: AgentKey, up: boolean, detail: string): void;
  /** More happened to an agent's link than was told: so many further changes since, and how it stands now. */
  summary(key: AgentKey, changes: number, up: boolean, detail: string): void;
}

/**
 * Changes of one agent's link that are told in a minute: a start, a stop and a start again are three. More are told if each says another
 * reason: an operator who looks for one wants to see it. There are as many kinds as agents.
 */
const BOUNDS = { first: 4, variants: 12, kinds: Infinity };
/** Longest detail; ours are a sentence. */
const MOST_DETAIL = 300;

/** Tells of links that come and go: a link that flaps is told of a few times a minute, and then how often it did. */
export class LinkLog {
  readonly #lines: LinkLines;
  readonly #limit = new LogLimit(BOUNDS);

  constructor(lines: LinkLines) {
    this.#lines = lines;
  }

  /** A link came up or went down. */
  changed(key: AgentKey, up: boolean, text: string): void {
    const detail = text.length > MOST_DETAIL ? `${text.slice(0, MOST_DETAIL)}...` : text;
    this.#limit.say(`${key.tenant}/${key.id}`, () => this.#lines.changed(key, up, detail), {
      variant: detail,
      leftOut: (changes) => this.#lines.summary(key, changes, up, detail),
    });
  }

  /** Tells now what was left out, and begins a new window: at the end of the process. */
  flush(): void {
    this.#limit.flush();
  }
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
