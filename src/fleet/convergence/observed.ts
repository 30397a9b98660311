import { type ConfigAnswer, type LinkedGuest, type Report, type Said, isSameReport } from "./facts.ts";
import type { Observed } from "./told.ts";

const NOTHING_SAID: Said = {};

/** What is observed of one guest, over all of its links. */
export class ObservedGuest implements Observed {
  bootId: string | undefined;
  reports = false;
  revision = 0;
  sha256 = "";
  isDoubtful = false;
  contextSha256: string | undefined;
  said = NOTHING_SAID;
  /** Boot that the report is of. */
  #reportedBy: string | undefined;
  #wasReady = true;

  /** A link is up. */
  connected({ bootId, reports, heartbeat }: LinkedGuest): void {
    this.bootId = bootId;
    this.reports = reports;
    this.said = heartbeat;
    this.isDoubtful = false;
    this.contextSha256 = heartbeat.contextSha256;
    this.sawReady();
    if (!reports) return;
    this.takeSaid(bootId);
  }

  /** Takes what the latest heartbeat reports of the configuration; true if that was not known. */
  takeSaid(bootId: string): boolean {
    if (!this.reports) return false;
    const { configRevision: revision = 0, configSha256: sha256 = "" } = this.said;
    if (this.#isOlder(bootId, revision)) {
      this.isDoubtful = true;
      return true;
    }
    return this.take(bootId, { revision, sha256 });
  }

  /** Takes what an acknowledgement says is in force, if it says anything. */
  takeAck(bootId: string, { inForce }: Pick<ConfigAnswer, "inForce">): void {
    if (inForce !== undefined) this.take(bootId, inForce);
  }

  /** Takes a report of a boot; true if it is news. One of the same boot that is lower than what is known changes nothing. */
  take(bootId: string, report: Report): boolean {
    if (this.#isOlder(bootId, report.revision)) return false;
    const isNews = bootId !== this.#reportedBy || !isSameReport(report, this);
    this.#reportedBy = bootId;
    this.revision = report.revision;
    this.sha256 = report.sha256;
    return isNews;
  }

  /** True, once, if the guest's OpenClaw came back: what it could not apply it can now. */
  becameReady(): boolean {
    const isNews = !this.#wasReady && this.said.openclaw === "ready";
    this.#wasReady ||= isNews;
    return isNews;
  }

  /** The latest heartbeat's word on OpenClaw is no news any more. */
  sawReady(): void {
    this.#wasReady = this.said.openclaw === "ready";
  }

  /** Recreated under the same id. What the guest reports of itself stays true; what was assumed does not. */
  forget(): void {
    if (this.reports) return;
    this.#reportedBy = undefined;
    this.revision = 0;
    this.sha256 = "";
  }

  #isOlder(bootId: string, revision: number): boolean {
    return bootId === this.#reportedBy && revision < this.revision;
  }
}
