import { type Report, sameReport } from "./push.ts";

/** What a report of a guest means, held against those before it. */
export type ReportKind =
  /** The same as before. */
  | "same"
  /** Something else is in force now. */
  | "news"
  /** Of the same boot, and lower: it is stale, or the machine was put back to a snapshot. */
  | "older";

/** What is in force in a guest, as it last said. It never falls while the guest's boot stays. */
export interface Observed extends Report {
  /** Takes a report of a boot; one that is `older` changes nothing. */
  take(bootId: string, report: Report): ReportKind;
}

/** Makes what is observed of one agent: nothing yet. */
export function createObserved(): Observed {
  let boot: string | undefined;
  let known: Report = { revision: 0, sha256: "" };
  return {
    get revision() {
      return known.revision;
    },
    get sha256() {
      return known.sha256;
    },
    take(bootId, report) {
      if (bootId === boot && report.revision < known.revision) return "older";
      const same = bootId === boot && sameReport(report, known);
      boot = bootId;
      known = { revision: report.revision, sha256: report.sha256 };
      return same ? "same" : "news";
    },
  };
}
