import { isIPv6 } from "node:net";
import { limitExceeded } from "../errors.ts";

/** How many of something that lasts may be held at once. */
export interface ShareLimits {
  readonly all: number;
  /** Of callers without a good credential, all together: the rest is kept for callers that are known. */
  readonly strangers: number;
  /** Of those without a good credential, from one address. */
  readonly peer: number;
  readonly connection: number;
  /** Of one credential. */
  readonly credential: number;
}

/** Whoever holds one. */
export interface Holder {
  /** The connection's remote address. */
  readonly address: string;
  readonly connection: object;
  /** Names a good credential; absent for a stranger. A proxy's address is that of all its clients: a caller that is known is not counted by address. */
  readonly credential?: string;
}

/** Counts how many each holder has. */
export interface Shares {
  /** Takes one; the answer gives it back (twice is once). Throws LIMIT_EXCEEDED, which says whose share is used up. */
  take(holder: Holder): () => void;
}

/** Makes the counters. `what` names what is held, in the plural. */
export function createShares(what: string, limits: ShareLimits): Shares {
  const counts = new Map<unknown, number>();
  const all = {};
  const strangers = {};

  function sharesOf({ address, connection, credential }: Holder): [unknown, number, string][] {
    const common: [unknown, number, string][] = [
      [connection, limits.connection, "this connection"],
      [all, limits.all, "this server"],
    ];
    if (credential !== undefined)
      return [[`credential ${credential}`, limits.credential, "this credential"], ...common];
    return [
      [`peer ${networkOf(address)}`, limits.peer, "this address"],
      [strangers, limits.strangers, "callers without a credential"],
      ...common,
    ];
  }

  return {
    take(holder) {
      const shares = sharesOf(holder);
      for (const [name, most, who] of shares)
        if ((counts.get(name) ?? 0) >= most)
          throw limitExceeded(`${who} may hold ${most} ${what}: end one first`);
      for (const [name] of shares) counts.set(name, (counts.get(name) ?? 0) + 1);
      let isHeld = true;
      return () => {
        if (!isHeld) return;
        isHeld = false;
        for (const [name] of shares) giveBack(counts, name);
      };
    },
  };
}

function giveBack(counts: Map<unknown, number>, name: unknown): void {
  const left = (counts.get(name) ?? 1) - 1;
  if (left > 0) counts.set(name, left);
  else counts.delete(name);
}

/** Whoever has one IPv6 address has all of its /64. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith("::ffff:")) return address;
  const { hostname } = new URL(`http://[${address.replace(/%.*$/, "")}]`);
  const [head = "", tail] = hostname.slice(1, -1).split("::");
  const before = head === "" ? [] : head.split(":");
  const missing = tail === undefined ? 0 : 8 - before.length - (tail === "" ? 0 : tail.split(":").length);
  return [...before, ...Array<string>(missing).fill("0"), ...(tail ? tail.split(":") : [])]
    .slice(0, 4)
    .join(":");
}
