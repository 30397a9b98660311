/** The model is called for a run. */
export interface Called {
  readonly kind: "called";
  readonly agent: string;
  readonly machine: string;
  readonly run: string;
  readonly call: string;
  /** True if this very machine, or the one it is a copy of before it was copied, had called the model for this run. */
  readonly again: boolean;
}

/** A copy of a machine goes on with an answer of its own: the first `shared` pieces are those of the call it was copied from. */
export interface Branched {
  readonly kind: "branched";
  readonly call: string;
  readonly from: string;
  readonly shared: number;
}

/** A guest sent a frame. */
export interface Sent {
  readonly kind: "sent";
  readonly agent: string;
  readonly machine: string;
  readonly wire: number;
  readonly id: string;
  readonly type: string;
  readonly size: number;
  /** Of an event of a run: its number, and a digest of what it says. */
  readonly sequence?: number;
  readonly event?: string;
  readonly isLast?: boolean;
  /** Of `opened`: the run that the exchange reads from now on. */
  readonly life?: string;
}

/** A guest received a frame that bears on its credit. */
export interface Granted {
  readonly kind: "granted";
  readonly machine: string;
  readonly wire: number;
  readonly id: string;
  readonly limit: number;
}

/** What a host holds of an exchange, in bytes. */
export interface Held {
  readonly kind: "held";
  readonly host: string;
  readonly id: string;
  readonly bytes: number;
}

/** A client began something. */
export interface Began {
  readonly kind: "began";
  readonly op: string;
  readonly what: string;
  readonly agent: string;
}

/** A client's stream is open. */
export interface Opened {
  readonly kind: "opened";
  readonly op: string;
  readonly run: string;
  readonly life: string;
  readonly host: string;
  /** Which of the agents that had this name one after the other, as the host knows. */
  readonly birth: number;
}

/** A client read an event of a run. */
export interface Read {
  readonly kind: "read";
  readonly op: string;
  readonly agent: string;
  readonly run: string;
  readonly life: string;
  readonly sequence: number;
  /** What it says: for text the piece of the answer, such as `a1.c7/3`. */
  readonly event: string;
  readonly isLast: boolean;
  readonly host: string;
}

/** What a client began is over. */
export interface Ended {
  readonly kind: "ended";
  readonly op: string;
  readonly outcome: string;
}

/** A host says where an agent stands. */
export interface Said {
  readonly kind: "said";
  readonly host: string;
  readonly agent: string;
  readonly state: string;
  /** What `applied` speaks of: revision and digest of the configuration, and the digest of the context, as that host has them. */
  readonly revision: number;
  readonly config: string;
  readonly context: string;
  /** What the guest was like when it sent the latest report that the host has; undefined if there is no link. */
  readonly truth: Truth | undefined;
}

/** What is in force in a guest. */
export interface Truth {
  readonly machine: string;
  readonly boot: string;
  readonly revision: number;
  readonly config: string;
  readonly context: string;
}

/** A configuration is in force in a guest from now on. */
export interface InForce extends Truth {
  readonly kind: "in force";
}

/** What a host shows as observed. */
export interface Observed {
  readonly kind: "observed";
  readonly host: string;
  readonly agent: string;
  readonly boot: string;
  readonly revision: number;
}

/** Somebody who pushed a configuration is told how that ended. */
export interface Judged {
  readonly kind: "judged";
  readonly host: string;
  readonly agent: string;
  readonly revision: number;
  readonly isApplied: boolean;
  readonly truth: Truth | undefined;
}

/** What a host shows of an agent has changed; empty: the agent is gone. */
export interface Shown {
  readonly kind: "shown";
  readonly host: string;
  readonly agent: string;
  readonly look: string;
}

/** What happens to a watcher. */
export interface Watched {
  readonly kind: "watched";
  readonly watcher: string;
  readonly host: string;
  /** `idle`: everything that was sent was read, and nothing came for a second. */
  readonly event: "begin" | "agent" | "deleted" | "complete" | "resync" | "idle" | "end";
  readonly agent: string;
  readonly look: string;
}

/** What is left when the world is at rest: of each kind of thing how many, and how many there may be. */
export interface Rest {
  readonly kind: "rest";
  readonly who: string;
  readonly what: string;
  readonly left: number;
  readonly most: number;
}

/** At rest: how an agent stands at a host, and what it is to have and has. */
export interface Settled {
  readonly kind: "settled";
  readonly host: string;
  readonly agent: string;
  readonly state: string;
  /** What the store says the agent is to have, and what the guest has in force. */
  readonly desired: string;
  readonly actual: string;
  /** What the host takes for desired, and for observed: revisions. */
  readonly shown: string;
  /** True if the guest may refuse what it is to have. */
  readonly mayRefuse: boolean;
}

/** A fault, or the end of one. */
export interface Fault {
  readonly kind: "fault";
  readonly name: string;
  readonly target: string;
}

/** Something that happened, as the auditors see it. */
export type Fact =
  | Called
  | Branched
  | Sent
  | Granted
  | Held
  | Began
  | Opened
  | Read
  | Ended
  | Said
  | InForce
  | Observed
  | Judged
  | Shown
  | Watched
  | Rest
  | Settled
  | Fault;
