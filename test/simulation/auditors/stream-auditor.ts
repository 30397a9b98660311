import type { Branched, Fact, Read, Sent } from "../engine/facts.ts";
import type { Auditor, Verdicts } from "../engine/history.ts";

/**
 * The other thing that is not promised (docs/guarantees.md): the copy of a machine goes on with a run in its own words, and a host that saw nothing
 * of the first ones can't tell.
 */
export const MIXED =
  "a reader whose host had not seen its run read on in the answer of a restored or forked guest";

/** One who reads a run, through all its calls. */
interface Reader {
  life: string;
  sequence: number;
  /** The answer that its latest piece is of. */
  call: string | undefined;
  isOver: boolean;
  /** Who has seen what it read. */
  witness: string;
}

/** (a) Every reader sees a prefix, without a gap, of one list of events, and one terminal event at its end. */
export class StreamAuditor implements Auditor {
  readonly #verdicts: Verdicts;
  readonly #readers = new Map<string, Reader>();
  /** Of an answer that a copy of a machine goes on with: which one it is a copy of, and how many pieces they share. */
  readonly #branches = new Map<string, Branched>();
  /** Events that machines sent, by machine, life and number. */
  readonly #sent = new Map<string, string>();
  /** Number of the last event of a run, by machine and life; what ended it. */
  readonly #last = new Map<string, number>();
  /** Events that anybody sent, by life and number. */
  readonly #anywhere = new Map<string, Set<string>>();
  /** Life of the run that an exchange reads, by wire and id. */
  readonly #lives = new Map<string, string>();
  /** Who has seen what each reader reads: a host, and which agent of that name. A host forgets what it saw of another one. */
  readonly #witnesses = new Map<string, string>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  see(fact: Fact): void {
    if (fact.kind === "sent") this.#seeSent(fact);
    else if (fact.kind === "read") this.#seeRead(fact);
    else if (fact.kind === "branched") this.#branches.set(fact.call, fact);
    else if (fact.kind === "opened") this.#witnesses.set(fact.op, `${fact.host} ${fact.birth}`);
  }

  end(): void {}

  /** What a guest sends of a run is the same to everybody, and ends once. */
  #seeSent(fact: Sent): void {
    const { machine, wire, id, sequence, event } = fact;
    if (fact.life !== undefined) this.#lives.set(`${wire}/${id}`, fact.life);
    if (sequence === undefined || event === undefined) return;
    const life = this.#lives.get(`${wire}/${id}`) ?? "";
    const run = `${machine}/${life}`;
    const name = `${run}/${sequence}`;
    const before = this.#sent.get(name);
    if (before === undefined) this.#sent.set(name, event);
    else if (before !== event)
      this.#fail("one list", `${machine} sent event ${sequence} of ${life} as ${before} and as ${event}`);
    const last = this.#last.get(run);
    if (fact.isLast === true) {
      if (last !== undefined && last !== sequence)
        this.#fail(
          "one terminal event",
          `${machine} ended ${life} by event ${last} and by event ${sequence}`,
        );
      this.#last.set(run, sequence);
    } else if (last !== undefined && sequence >= last)
      this.#fail(
        "one terminal event",
        `${machine} sent event ${sequence} of ${life}, which ended with ${last}`,
      );
    const place = `${life}/${sequence}`;
    const known = this.#anywhere.get(place);
    if (known === undefined) this.#anywhere.set(place, new Set([said(event)]));
    else known.add(said(event));
  }

  #seeRead(fact: Read): void {
    const { op, life, sequence, event, isLast } = fact;
    const reader: Reader = this.#readers.get(op) ?? {
      life,
      sequence: 0,
      call: undefined,
      isOver: false,
      witness: "",
    };
    this.#readers.set(op, reader);
    if (reader.isOver)
      return this.#fail("one terminal event", `${op} read event ${sequence} after the last one`);
    if (reader.life !== life) {
      // A unary call that is made again is another reader: its first answer was thrown away.
      if (sequence !== 1) this.#fail("one list", `${op} read of ${reader.life}, then of ${life}`);
      Object.assign(reader, { life, sequence: 0, call: undefined });
    }
    if (sequence !== reader.sequence + 1)
      return this.#fail("gapless", `${op} read event ${sequence} after event ${reader.sequence}`);
    if (!isLast) this.#follow(reader, fact);
    this.#wasSent(fact);
    reader.sequence = sequence;
    reader.isOver = isLast;
    reader.witness = this.#witnesses.get(op) ?? "";
    if (event === "") this.#fail("one list", `${op} read an event that says nothing`);
  }

  /** The piece is the next one of the answer that the reader has the beginning of. */
  #follow(reader: Reader, fact: Read): void {
    const { op, sequence, event } = fact;
    const [call = "", piece = ""] = event.split("/");
    if (Number(piece) !== sequence) return this.#fail("gapless", `${op} read ${event} as event ${sequence}`);
    const before = reader.call;
    reader.call = call;
    if (before === undefined || before === call || this.#shares(before, call) >= sequence - 1) return;
    const text = `${op} read ${sequence - 1} pieces of ${before}, and then ${event}`;
    if (reader.witness === (this.#witnesses.get(op) ?? "")) this.#fail("one list", text);
    else this.#verdicts.known(MIXED);
  }

  /** How many pieces two answers share. */
  #shares(a: string, b: string): number {
    const shared = new Map<string, number>();
    let least = Infinity;
    for (let at: string | undefined = a; at !== undefined;) {
      shared.set(at, least);
      const branch: Branched | undefined = this.#branches.get(at);
      least = Math.min(least, branch?.shared ?? 0);
      at = branch?.from;
    }
    least = Infinity;
    for (let at: string | undefined = b; at !== undefined;) {
      const other = shared.get(at);
      if (other !== undefined) return Math.min(other, least);
      const branch: Branched | undefined = this.#branches.get(at);
      least = Math.min(least, branch?.shared ?? 0);
      at = branch?.from;
    }
    return 0;
  }

  /** Nobody reads what no guest sent. */
  #wasSent({ op, life, sequence, event, isLast }: Read): void {
    const known = this.#anywhere.get(`${life}/${sequence}`);
    if (known === undefined)
      return this.#fail("true", `${op} read event ${sequence} of ${life}, which nobody sent`);
    // How a run ended has other words at a client.
    if (!isLast && !known.has(event)) this.#fail("true", `${op} read ${event}, which nobody sent`);
  }

  #fail(rule: string, text: string): void {
    this.#verdicts.fail(`a: ${rule}`, text);
  }
}

/** What an event says, without its mark. */
function said(event: string): string {
  return event.split(" ")[0] ?? "";
}
