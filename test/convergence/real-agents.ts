import { once } from "node:events";
import { type Agent, startAgent } from "../../agent/agent.ts";
import { createLog } from "../../agent/log.ts";
import { parseAddress } from "../../protocol/transport/address.ts";
import { connectHost } from "../agent/fake-host.ts";
import { startModel } from "../agent/fake-model.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { startTcpSwitch } from "../helpers/tcp-switch.ts";
import { clock } from "./guest.ts";
import type { InForce } from "./messages.ts";
import type { Random } from "../helpers/random.ts";

/** A real agent behind a link that can be cut. */
export interface RealAgent {
  readonly address: string;
  readonly bootId: string;
  /** When it applied each revision, as its log says. */
  readonly applied: ReadonlyMap<number, number>;
  /** How often its links were cut. */
  readonly cuts: number;
  /** From now on its links stay. */
  endFaults(): void;
  /** What it says that it has, on a link of its own. */
  inForce(): Promise<InForce>;
}

/** Each second a link is cut with this probability. */
const CUT = 0.3;

/** Starts one with a model behind it, whose links are cut at random; it ends after the file's last test. */
export async function startRealAgent(random: Random): Promise<RealAgent> {
  const model = await startModel();
  model.ready = 404;
  const applied = new Map<number, number>();
  const agent = await startAgent({
    address: { kind: "tcp", host: "127.0.0.1", port: 0 },
    openclawUrl: model.url,
    insecure: true,
    log: createLog((line) => {
      const { event, revision } = JSON.parse(line) as { event: string; revision?: number };
      if (event === "config_applied" && revision !== undefined) applied.set(revision, clock());
    }),
  });
  const parsed = parseAddress(agent.address);
  const proxy = await startTcpSwitch(parsed.kind === "tcp" ? parsed.port : 0);
  let cuts = 0;
  const cutting = setInterval(() => {
    if (!random.chance(CUT)) return;
    cuts++;
    proxy.cut();
  }, 1_000);
  afterFile(async () => {
    clearInterval(cutting);
    proxy.close();
    agent.kill();
    model.close();
  });
  return {
    address: `tcp://127.0.0.1:${proxy.port}`,
    bootId: agent.bootId,
    applied,
    get cuts() {
      return cuts;
    },
    endFaults: () => clearInterval(cutting),
    inForce: () => ask(agent),
  };
}

async function ask(agent: Agent): Promise<InForce> {
  const host = await connectHost(agent.address);
  await host.link.take();
  const told = await host.greet();
  const closed = once(host.socket, "close");
  host.close();
  await closed;
  return {
    revision: told["config_revision"] as number,
    sha256: told["config_sha256"] as string,
    contextSha256: told["context_sha256"] as string,
  };
}
