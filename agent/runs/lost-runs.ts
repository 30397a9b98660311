import { Failure, type Message } from "@valinor/protocol";
import { digestOfHash, type LedgerEntry } from "./ledger-entries.ts";

/**
 * What a guest answers about a run that it does not hold, by what its ledger knows of the request:
 *
 * | the ledger                                   | the answer                                                              |
 * |----------------------------------------------|-------------------------------------------------------------------------|
 * | has it with another message                  | `request_id_reused`                                                     |
 * | has it, and this boot took it                | `run_trimmed`: the run is over, and its events were kept long enough    |
 * | has it, and an earlier boot took it          | `run_lost`: the guest was restarted, and the events went with it        |
 * | has never heard of it                        | `run_unknown` to one who only attaches; else undefined: the run may begin |
 */
export function answerForLostRun(
  message: Message,
  entry: LedgerEntry | undefined,
  attachOnly: boolean,
): Failure | undefined {
  if (entry === undefined)
    return attachOnly ? new Failure("run_unknown", "no run has that request_id") : undefined;
  if (message.role !== undefined && entry.digest !== digestOfHash(message.hash)) return requestIdReused();
  return entry.own
    ? new Failure("run_trimmed", "the events of the run are not kept any more")
    : new Failure("run_lost", "the agent has restarted since it took the request");
}

/** A request_id names one message for ever. */
export function requestIdReused(): Failure {
  return new Failure("request_id_reused", "the request_id was used with another message");
}
