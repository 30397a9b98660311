import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { GuestsOrder, GuestsReport } from "./guests-process.ts";
import {
  type GoodCall,
  type GoodFigures,
  goodClient,
  type HostileServer,
  lineOf,
  measureControl,
  type Measured,
  start,
  startHostileServer,
} from "./harness.ts";

/** Guests in a process of their own. */
interface Guests {
  tell(order: GuestsOrder): Promise<GuestsReport>;
  readonly ports: readonly number[];
}

async function startGuests(count: number, nice: number): Promise<Guests> {
  const child = start(1, join(import.meta.dirname, "guests-process.ts"));
  async function tell(order: GuestsOrder): Promise<GuestsReport> {
    const answer = once(child, "message", { signal: AbortSignal.timeout(30_000) });
    child.send(order);
    return ((await answer) as [GuestsReport])[0];
  }
  return { tell, ...(await tell({ kind: "listen", count, nice })) };
}

/** A server, a good guest of a good tenant, and hostile guests of another tenant. */
export interface GuestWorld {
  readonly server: HostileServer;
  /** Has all hostile guests behave, and waits until their links are up. */
  calm(): Promise<void>;
  /** Measures the good client while the hostile guests behave so, beside a time in which they were silent. */
  measure(conduct: string, forMs: number, calls?: readonly GoodCall[]): Promise<Measured & GuestsReport>;
}

/** What a good client may ask for: an answer of its agent, and whether the server is ready. */
export const unaryCall: GoodCall = { path: "/agents/well/message", body: '{"content":"x"}' };
export const readyCall: GoodCall = { path: "/readyz" };

/** Time that a link may take to come back: its host waits up to 5 s between attempts. */
const UP_MS = 20_000;

/** Starts all of it, each in a process of its own. */
export async function startGuestWorld(count: number): Promise<GuestWorld> {
  const [good, hostile] = await Promise.all([startGuests(1, -10), startGuests(count, 19)]);
  const server = await startHostileServer({
    agents: [
      { id: "well", tenant: "good", address: `tcp://127.0.0.1:${good.ports[0]}` },
      ...hostile.ports.map((port, i) => ({
        id: `h${i}`,
        tenant: "evil",
        address: `tcp://127.0.0.1:${port}`,
      })),
    ],
  });
  const become = (conduct: string) =>
    hostile.tell({ kind: "become", conduct, port: server.port, key: server.keys["operator"] ?? "" });
  const controls = new Map<string, GoodFigures>();

  async function calm(): Promise<void> {
    await become("silent");
    const end = performance.now() + UP_MS;
    while ((await hostile.tell({ kind: "report" })).up < count) {
      if (performance.now() > end) throw new Error("the links of the hostile guests did not come up again");
      await sleep(50);
    }
  }

  /** The good client beside guests that are silent; measured once. */
  async function controlOf(forMs: number, calls: readonly GoodCall[]): Promise<GoodFigures> {
    const name = JSON.stringify(calls);
    const known = controls.get(name);
    if (known !== undefined) return known;
    const figures = await measureControl(server, forMs, calls);
    controls.set(name, figures);
    return figures;
  }

  return {
    server,
    calm,
    async measure(conduct, forMs, calls = [unaryCall, readyCall]) {
      await calm();
      const control = await controlOf(forMs, calls);
      const before = await server.probe("begin");
      const loggedBefore = server.logged();
      await become(conduct);
      const figures = await goodClient(server, forMs, calls);
      const report = await hostile.tell({ kind: "report" });
      if (!server.alive()) throw new Error(`${conduct}: the server has ended`);
      const after = await server.probe("look");
      const measured = {
        ...report,
        control,
        good: figures,
        outcome: { counts: {}, closedMs: report.firstClosedMs },
        rssMiB: (after.peakRss - before.rss) / 2 ** 20,
        longestTurnMs: after.longestTurnMs,
        logged: server.logged() - loggedBefore,
      };
      console.log(lineOf(conduct, measured, [`${report.closed} links closed`]));
      return measured;
    },
  };
}
