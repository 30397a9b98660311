/** How a simulated guest is made. */
export interface GuestPlan {
  readonly id: string;
  /** Socket that it listens on. */
  readonly path: string;
  readonly protocol: 1 | 2;
  readonly flaps: boolean;
  /** Revision of a life that the store knows nothing of; 0: none. */
  readonly revision: number;
}

/** One life of a guest. */
export interface BootLog {
  readonly bootId: string;
  revision: number;
  sha256: string;
  /** What it really applied, in order. */
  readonly applied: { readonly revision: number; readonly sha256: string; readonly time: number }[];
}

/** A configuration that was pushed to a guest. */
export interface Received {
  readonly bootId: string;
  readonly revision: number;
  readonly time: number;
}

/** What became of a guest. */
export interface GuestReport {
  readonly boots: readonly BootLog[];
  readonly received: readonly Received[];
  readonly cuts: number;
}

/** What a guest has now. */
export interface InForce {
  readonly revision: number;
  readonly sha256: string;
  readonly contextSha256: string;
}

/** What the test asks of the thread of the guests. */
export type Request =
  | { readonly kind: "start"; readonly seed: number; readonly plans: readonly GuestPlan[] }
  | { readonly kind: "end_faults" }
  | { readonly kind: "in_force" }
  | { readonly kind: "report" };

/** What it answers, to each request once. */
export type Answer =
  | { readonly kind: "done" }
  | { readonly kind: "in_force"; readonly guests: InForce[] }
  | { readonly kind: "report"; readonly reports: GuestReport[] };
