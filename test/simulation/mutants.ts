import { encodeFrame, type Frame, HostLink, type LinkPort } from "@valinor/protocol";
import type { LedgerLine } from "../../agent/runs/ledger-entries.ts";
import type { ModelEvent } from "../../agent/runs/model.ts";
import { Changes } from "../../src/core/watch/watch-changes.ts";
import { Convergence } from "../../src/fleet/convergence/convergence.ts";
import type { ConfigAnswer, Said } from "../../src/fleet/convergence/facts.ts";
import { type Makers, realMakers } from "./makers.ts";
import { DiskModel } from "./models/disk.ts";
import { type KernelMaker, makeKernel } from "./models/guest-kernel.ts";

/** A world in which one part breaks one rule, and the auditor that has to find it. */
export interface Mutant {
  readonly name: string;
  /** The rule, as violations name it. */
  readonly rule: string;
  readonly makers: Makers;
}

/** Says that a line is on the disk while it is still being written, for a long time. */
class HastyDisk extends DiskModel<LedgerLine> {
  readonly #tell: (life: string) => void;

  constructor(...[clock, chance, onWritten, from]: ConstructorParameters<typeof DiskModel<LedgerLine>>) {
    super(clock, chance, () => {}, from && { ...from, writing: [] });
    this.#tell = (life) => void clock.after(0, () => onWritten(life, true));
    super.slow(2_000);
  }

  override write(life: string, line: LedgerLine): void {
    super.write(life, line);
    this.#tell(life);
  }

  override slow(): void {}
}

/** Believes that every push was applied. */
class Credulous extends Convergence {
  override configAnswered(answer: ConfigAnswer, now: number): void {
    const inForce = { revision: this.desiredRevision, sha256: answer.sha256 ?? "" };
    super.configAnswered({ ...answer, applied: true, refused: false, inForce }, now);
  }
}

/** Shows what the latest heartbeat says, whatever was known. */
class Forgetful extends Convergence {
  #said: Said | undefined;

  override get observedRevision(): number {
    return this.#said?.configRevision ?? super.observedRevision;
  }

  override heartbeat(said: Said, now: number): void {
    this.#said = said;
    super.heartbeat(said, now);
  }
}

/** Looks at a guest when its link comes up, and never again. */
class Asleep extends Convergence {
  override get nextWake(): undefined {
    return undefined;
  }

  override heartbeat(): void {}

  override storeChanged(): void {}
}

/** Looks at no clock: it notices no silence. */
class Deaf extends HostLink {
  override nextWake(): undefined {
    return undefined;
  }
}

/** The same thing, but for some of its methods. */
function like<T extends object>(thing: T, others: Partial<T>): T {
  return new Proxy(thing, {
    get(target, name) {
      if (name in others) return Reflect.get(others, name) as unknown;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A guest's kernel whose links send through another port, or take other frames. */
function withLinks(portOf: (port: LinkPort) => LinkPort, frameOf: (frame: Frame) => Frame): KernelMaker {
  return (...made) => {
    const kernel = makeKernel(...made);
    return like(kernel, {
      openLink(port, now) {
        const link = kernel.openLink(portOf(port), now);
        return like(link, { frame: (frame, at) => link.frame(frameOf(frame), at) });
      },
    });
  };
}

/** Sends a second terminal event after each. */
function endsTwice(port: LinkPort): LinkPort {
  return like(port, {
    offer(bytes) {
      const { id, payload } = JSON.parse(bytes.toString("utf8", 4)) as Frame;
      const isTaken = port.offer(bytes);
      const { done, sequence } = payload;
      if (isTaken && done === true && typeof sequence === "number")
        port.offer(encodeFrame("error", id, { code: "internal", message: "", sequence: sequence + 1 }));
      return isTaken;
    },
  });
}

/** Takes four times the credit that it is given. */
function greedily(frame: Frame): Frame {
  const { credit, limit } = frame.payload;
  if (typeof credit === "number") return { ...frame, payload: { ...frame.payload, credit: 4 * credit } };
  if (typeof limit === "number") return { ...frame, payload: { ...frame.payload, limit: 4 * limit } };
  return frame;
}

const unchanged = <T>(value: T): T => value;

function mutant(name: string, rule: string, makers: Partial<Makers>): Mutant {
  return { name, rule, makers: { ...realMakers, ...makers } };
}

/** One for each rule that the auditors guard. */
export const mutants: readonly Mutant[] = [
  mutant("a guest that calls the model before its ledger is on the disk", "a: once", {
    makeDisk: (...made) => new HastyDisk(...made),
  }),
  mutant("a guest that takes each piece of an answer twice", "a: gapless", {
    makeKernel: (...made) => {
      const kernel = makeKernel(...made);
      const twice = (event: ModelEvent): ModelEvent[] => (event.kind === "text" ? [event, event] : [event]);
      return like(kernel, {
        modelEvents: (life, events, now) => kernel.modelEvents(life, events.flatMap(twice), now),
      });
    },
  }),
  mutant("a guest that ends a run twice", "a: one terminal event", {
    makeKernel: withLinks(endsTwice, unchanged),
  }),
  mutant("a host that believes that every push was applied", "b: applied", {
    makeConvergence: (...made) => new Credulous(...made),
  }),
  mutant("a host that shows as observed whatever a heartbeat says", "b: observed", {
    makeConvergence: (...made) => new Forgetful(...made),
  }),
  mutant("a host that looks at a guest when its link comes up, and never again", "b: converges", {
    makeConvergence: (...made) => new Asleep(...made),
  }),
  mutant("a watch that loses every third change", "c: every change", {
    makeChanges: (...made) => {
      const changes = new Changes(...made);
      let seen = 0;
      return like(changes, { changed: (id) => (++seen % 3 === 0 ? undefined : changes.changed(id)) });
    },
  }),
  mutant("a guest that takes more credit than it is given", "d: credit", {
    makeKernel: withLinks(unchanged, greedily),
  }),
  mutant("a guest that keeps its journals for ever", "d: empty", {
    makeKernel: (output, options, ...rest) =>
      makeKernel(output, { ...options, bounds: { ...options.bounds, journalKeepMs: 1e12 } }, ...rest),
  }),
  mutant("a host that answers nobody who pushed a configuration", "e: nobody waits for ever", {
    makeConvergence: (output, random) => new Convergence(like(output, { configJudged: () => {} }), random),
  }),
  mutant("a host that notices no silence", "e: nobody waits for ever", {
    makeLink: (...made) => new Deaf(...made),
  }),
];
