import type { Clock } from "../engine/clock.ts";
import type { Auditor, Verdicts } from "../engine/history.ts";
import { ConfigAuditor } from "./config-auditor.ts";
import { CreditAuditor } from "./credit-auditor.ts";
import { EndAuditor } from "./end-auditor.ts";
import { OnceAuditor } from "./once-auditor.ts";
import { StreamAuditor } from "./stream-auditor.ts";
import { WatchAuditor } from "./watch-auditor.ts";

/** Everything that every history is held against. Rules begin with the letter that test/simulation/README.md has for them. */
export function createAuditors(verdicts: Verdicts, clock: Clock): readonly Auditor[] {
  return [
    new OnceAuditor(verdicts),
    new StreamAuditor(verdicts),
    new ConfigAuditor(verdicts),
    new WatchAuditor(verdicts, clock),
    new CreditAuditor(verdicts),
    new EndAuditor(verdicts),
  ];
}
