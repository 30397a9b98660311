import type { Clock } from "./clock.ts";
import type { Fact } from "./facts.ts";

/** A rule that was broken. */
export interface Violation {
  /** Letter of the auditor and a short name, such as `a: gapless`. */
  readonly rule: string;
  readonly text: string;
  readonly atMs: number;
  readonly step: number;
}

/** One that looks at every fact, and says what breaks a rule. */
export interface Auditor {
  see(fact: Fact): void;
  /** The world is at rest: faults are over, and everybody had the time to finish. */
  end(): void;
}

/** What auditors tell. */
export interface Verdicts {
  /** A rule is broken. */
  fail(rule: string, text: string): void;
  /** A breach that is known, and listed by its name. */
  known(name: string): void;
}

/** The latest lines, so many at least, that a trace keeps. */
const TRACE_LINES = 4_000;

/**
 * Everything that happened in one world, as it happened: auditors see each fact, and a hash of them all tells two runs apart.
 * The facts themselves are kept only for a trace.
 */
export class History implements Verdicts {
  readonly counts = new Map<string, number>();
  readonly breaches = new Map<string, number>();
  readonly lines: string[] = [];
  violation: Violation | undefined;
  readonly #clock: Clock;
  readonly #isTraced: boolean;
  #auditors: readonly Auditor[] = [];
  #hash = 0x811c9dc5;
  #hash2 = 0x1b873593;

  constructor(clock: Clock, isTraced: boolean) {
    this.#clock = clock;
    this.#isTraced = isTraced;
  }

  /** 64 bits of everything that was recorded. */
  get hash(): string {
    return [this.#hash, this.#hash2].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
  }

  audit(auditors: readonly Auditor[]): void {
    this.#auditors = auditors;
  }

  record(fact: Fact): void {
    const text = JSON.stringify(fact);
    this.#mix(text);
    if (this.#isTraced) this.lines.push(`${this.#clock.now.toFixed(1).padStart(10)} ${text}`);
    // What led to the end counts.
    if (this.lines.length > 2 * TRACE_LINES) this.lines.splice(0, TRACE_LINES);
    for (const auditor of this.#auditors) auditor.see(fact);
  }

  /** Counts that something happened, so that what a workload never does is seen. */
  count(name: string): void {
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
  }

  fail(rule: string, text: string): void {
    this.violation ??= { rule, text, atMs: this.#clock.now, step: this.#clock.steps };
  }

  known(name: string): void {
    this.breaches.set(name, (this.breaches.get(name) ?? 0) + 1);
    this.#mix(name);
  }

  end(): void {
    for (const auditor of this.#auditors) auditor.end();
  }

  #mix(text: string): void {
    let a = this.#hash;
    let b = this.#hash2 ^ Math.round(this.#clock.now * 1000);
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b ^ unit, 0x5bd1e995);
    }
    this.#hash = a;
    this.#hash2 = b ^ (b >>> 15);
  }
}
