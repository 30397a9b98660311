/** What an attack is told. */
export interface AttackContext {
  readonly port: number;
  /** How many peers attack. */
  readonly peers: number;
  /** Keys of the attackers' tenant by role, and `good`, which is nobody's to attack with. */
  readonly keys: Readonly<Record<string, string>>;
  /** Aborts when the attack is over. */
  readonly signal: AbortSignal;
  readonly report: AttackReport;
}

/** What an attack tells of itself. */
export interface AttackReport {
  /** Counts something, such as `refused`. */
  count(name: string, by?: number): void;
  /** A peer's connection was closed by the server so many milliseconds after its attack began. */
  closed(ms: number): void;
  /** Everything has begun: the good client may be measured. Default: at once. */
  begun(): void;
}

/** Attacks until the signal aborts; runs in a process of its own. */
export type Attack = (context: AttackContext) => Promise<void>;

/** What an attacker's process is told. */
export interface AttackOrder {
  readonly module: string;
  readonly name: string;
  readonly port: number;
  readonly peers: number;
  readonly keys: Readonly<Record<string, string>>;
}

/** What it answers at the end. */
export interface AttackOutcome {
  readonly counts: Readonly<Record<string, number>>;
  /** Milliseconds until the server closed a peer's connection, for each that it closed. */
  readonly closedMs: readonly number[];
  readonly error?: string;
}
