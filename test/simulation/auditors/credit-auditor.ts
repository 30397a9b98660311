import { limits } from "@valinor/protocol";
import type { Fact, Granted, Held, Rest, Sent } from "../engine/facts.ts";
import { WAITING } from "./end-auditor.ts";
import type { Auditor, Verdicts } from "../engine/history.ts";

/** What a guest may send of an exchange, and has sent. */
interface Account {
  limit: number;
  sent: number;
}

/** Most that a host holds of an exchange: one window, and one frame that was begun within it. */
const MOST_HELD = limits.creditWindow + limits.chunkBytes;

/** (d) Credit is kept to and never falls; no host holds more than a window; all is empty when nothing is under way. */
export class CreditAuditor implements Auditor {
  readonly #verdicts: Verdicts;
  readonly #accounts = new Map<string, Account>();

  constructor(verdicts: Verdicts) {
    this.#verdicts = verdicts;
  }

  see(fact: Fact): void {
    if (fact.kind === "granted") this.#seeGranted(fact);
    else if (fact.kind === "sent") this.#seeSent(fact);
    else if (fact.kind === "held") this.#seeHeld(fact);
    else if (fact.kind === "rest") this.#seeRest(fact);
  }

  end(): void {}

  #seeGranted({ wire, id, limit }: Granted): void {
    const account = this.#accounts.get(`${wire}/${id}`);
    if (account === undefined) this.#accounts.set(`${wire}/${id}`, { limit, sent: 0 });
    else if (limit < account.limit)
      this.#fail("credit", `the limit of ${id} fell from ${account.limit} to ${limit}`);
    else if (limit > account.sent + limits.creditWindow)
      this.#fail(
        "credit",
        `${id} was granted ${limit}, more than a window beyond the ${account.sent} that were sent`,
      );
    else account.limit = limit;
  }

  #seeSent({ wire, id, type, size, machine, sequence }: Sent): void {
    const account = this.#accounts.get(`${wire}/${id}`);
    if (account === undefined || (type === "error" && sequence === undefined)) return;
    if (account.sent >= account.limit)
      this.#fail("credit", `${machine} sent ${type} of ${id} with ${account.sent} of ${account.limit} sent`);
    account.sent += size;
  }

  #seeHeld({ host, id, bytes }: Held): void {
    if (bytes > MOST_HELD) this.#fail("bounds", `${host} holds ${bytes} bytes of ${id}`);
  }

  #seeRest({ who, what, left, most }: Rest): void {
    // Who waits is the business of another auditor.
    if (WAITING.has(what)) return;
    if (left > most) this.#fail("empty", `${who} has ${left} ${what} when nothing is under way`);
  }

  #fail(rule: string, text: string): void {
    this.#verdicts.fail(`d: ${rule}`, text);
  }
}
