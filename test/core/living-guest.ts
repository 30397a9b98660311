import { type Guest, type Handler, type Session, startGuest } from "../link/fake-guest.ts";

/** An event as a guest holds it; the marks are the test's own. */
export interface HeldEvent {
  readonly text: string;
  readonly mark: number;
}

/** A run as the memory of a guest's machine holds it. */
export interface HeldRun {
  readonly life: string;
  readonly events: readonly HeldEvent[];
  readonly isOver: boolean;
}

/** A guest that names lives and marks, and whose memory the test may put back. */
export interface LivingGuest {
  readonly guest: Guest;
  /** Runs by their name on the link: what is put here is what the guest knows. */
  readonly runs: Map<string, HeldRun>;
  /** Every message that it took as a new one. */
  readonly begun: string[];
}

const END_MARK = 1;

/** Events `from` to `to` of an answer; another `answer` has other texts and other marks. */
export function eventsOf(answer: number, from: number, to: number): HeldEvent[] {
  return Array.from({ length: to - from + 1 }, (_, i) => ({
    text: `${answer}.${from + i} `,
    mark: answer * 1_000 + from + i,
  }));
}

/** Starts it; a message that it does not know begins a run that holds what `answer` gives. */
export async function startLivingGuest(
  answer: (name: string) => HeldRun,
  lives = true,
): Promise<LivingGuest> {
  const runs = new Map<string, HeldRun>();
  const begun: string[] = [];

  const message: Handler = (session, { id, payload }) => {
    const name = String(payload["request_id"]);
    const after = Number(payload["after_sequence"] ?? 0);
    const refuse = (code: string) => session.send("error", id, { code, message: code });
    let run = runs.get(name);
    if (run === undefined) {
      if (payload["role"] === "" || after > 0 || payload["run_life"] !== undefined)
        return refuse("run_unknown");
      run = answer(name);
      runs.set(name, run);
      begun.push(name);
    }
    const { life, events } = run;
    if (payload["run_life"] !== undefined && payload["run_life"] !== life) return refuse("run_lost");
    const seen = payload["run_seen"] as { sequence: number; mark: number } | undefined;
    const marks = [...events.map(({ mark }) => mark), ...(run.isOver ? [END_MARK] : [])];
    if (seen !== undefined && marks[seen.sequence - 1] !== seen.mark) return refuse("run_lost");
    send(session, id, run, after, lives);
  };

  const guest = await startGuest({
    on: { message, hello: (session) => session.heartbeat(lives ? { lives: true } : {}) },
  });
  return { guest, runs, begun };
}

function send(session: Session, id: string, run: HeldRun, after: number, lives: boolean): void {
  const { life, events, isOver } = run;
  session.send("opened", id, {
    boot_id: "boot-1",
    attached: false,
    next_sequence: after + 1,
    ...(lives && { life }),
  });
  events.forEach(({ text, mark }, i) => {
    if (i < after) return;
    session.send("chunk", id, { content: text, done: false, sequence: i + 1, ...(lives && { mark }) });
  });
  const sequence = events.length + 1;
  if (isOver)
    session.send("chunk", id, { content: "", done: true, sequence, ...(lives && { mark: END_MARK }) });
}
