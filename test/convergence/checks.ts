import type { GuestReport } from "./messages.ts";

/** Somebody was told that a revision is in force. */
export interface Claim {
  readonly agent: string;
  /** Boot that it was said of; undefined: any. */
  readonly bootId: string | undefined;
  readonly revision: number;
  readonly sha256: string;
  readonly time: number;
}

/** The control plane learned that a boot refused a revision. */
export interface KnownRefusal {
  readonly agent: string;
  readonly bootId: string;
  readonly revision: number;
  readonly time: number;
}

/** Claims of what the guest had not really applied by then. */
export function falseClaims(claims: readonly Claim[], reports: ReadonlyMap<string, GuestReport>): Claim[] {
  return claims.filter(({ agent, bootId, revision, sha256, time }) => {
    const boots =
      reports.get(agent)?.boots.filter((boot) => bootId === undefined || boot.bootId === bootId) ?? [];
    return !boots.some(({ applied }) =>
      applied.some((one) => one.revision === revision && one.sha256 === sha256 && one.time <= time),
    );
  });
}

/** Refusals after which the same revision was pushed to the same boot again. */
export function pushedAgain(
  refusals: readonly KnownRefusal[],
  reports: ReadonlyMap<string, GuestReport>,
): KnownRefusal[] {
  return refusals.filter(({ agent, bootId, revision, time }) =>
    reports
      .get(agent)
      ?.received.some((one) => one.bootId === bootId && one.revision === revision && one.time > time),
  );
}

/** Boots in which a lower revision was applied after a higher one. */
export function fallen(reports: ReadonlyMap<string, GuestReport>): string[] {
  return [...reports.values()].flatMap(({ boots }) =>
    boots.flatMap(({ bootId, applied }) =>
      applied.some(({ revision }, i) => i > 0 && revision < (applied[i - 1]?.revision ?? 0)) ? [bootId] : [],
    ),
  );
}

/** The value that this share of the numbers does not exceed. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}
