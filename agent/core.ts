import { errorText, monotonicNow } from "@valinor/protocol";
import { type Bounds, boundsWith } from "./bounds.ts";
import { mintBootId, randomIds } from "./ids.ts";
import { GuestKernel } from "./kernel/guest-kernel.ts";
import type { GuestOutput } from "./kernel/ports.ts";
import { freshBoot, type ServerView } from "./kernel/snapshot.ts";
import { Links } from "./link/links.ts";
import { createLog, errorName, errorPlace, type Log } from "./log.ts";
import { ModelCalls } from "./model-calls.ts";
import { createOpenClaw, type OpenClaw } from "./openclaw/client.ts";
import type { LedgerLine } from "./runs/ledger-entries.ts";
import { type LedgerFile, openLedgerFile, readLedger } from "./runs/ledger-file.ts";
import type { ConfigOutcome, WantedConfig } from "./settings/config-in-force.ts";
import type { AgentOptions } from "./settings/options.ts";
import { openStateDir, type StateDir } from "./settings/state-dir.ts";
import { VERSION } from "./version.ts";
import { WakeTimer } from "./wake-timer.ts";

/** What a core is made with. */
interface CoreParts {
  readonly options: AgentOptions;
  readonly bounds: Bounds;
  readonly log: Log;
  readonly state: StateDir | undefined;
  /** What earlier boots have taken. */
  readonly taken: Iterable<LedgerLine>;
}

/** Puts an agent together. Rejects if the state directory cannot be used. */
export async function openCore(options: AgentOptions): Promise<Core> {
  const log = options.log ?? createLog();
  const bounds = boundsWith(options.bounds);
  const state = await openStateDir(options, log);
  try {
    const taken = state === undefined ? [] : await readLedger(state.path, log);
    const core = new Core({ options, bounds, log, state, taken });
    if (state !== undefined) core.recordIn(await openLedgerFile(state.path, core.kernel.taken, log));
    return core;
  } catch (error) {
    state?.release();
    throw error;
  }
}

/** Everything of an agent but its listener: the kernel and its drivers. */
export class Core {
  readonly kernel: GuestKernel;
  readonly links: Links;
  readonly openclaw: OpenClaw;
  readonly log: Log;
  readonly bounds: Bounds;
  readonly #state: StateDir | undefined;
  readonly #calls: ModelCalls;
  readonly #timer: WakeTimer;
  readonly #checking: NodeJS.Timeout;
  readonly #drained = Promise.withResolvers<void>();
  /** Undefined: what was taken is remembered in memory alone. */
  #ledger: LedgerFile | undefined;

  constructor({ options, bounds, log, state, taken }: CoreParts) {
    this.log = log;
    this.bounds = bounds;
    this.#state = state;
    const { agentId, token } = options;
    this.openclaw = createOpenClaw({
      url: options.openclawUrl,
      serverKind: options.serverKind,
      token: options.openclawToken,
      stateDir: state?.path,
      bounds,
      onChange: () => this.#onServerChange(),
    });
    const remembers = state === undefined ? "memory" : "disk";
    const kernelOptions = { bounds, ids: randomIds, token, agentId, version: VERSION, remembers } as const;
    const boot = freshBoot(
      { bootId: mintBootId(), taken, server: viewOf(this.openclaw) },
      bounds,
      monotonicNow(),
    );
    this.kernel = new GuestKernel(kernelOptions, this.#output(), boot);
    this.#timer = new WakeTimer(this.kernel, (now) => {
      this.links.tellHeard();
      this.kernel.tick(now);
    });
    const afterInput = () => this.#timer.arm();
    this.links = new Links(this.kernel, afterInput);
    this.#calls = new ModelCalls(this.openclaw, this.kernel, afterInput);
    this.#checking = setInterval(() => this.links.check(monotonicNow()), bounds.tickMs);
  }

  /** Writes what is taken from now on into that file. */
  recordIn(file: LedgerFile): void {
    this.#ledger = file;
  }

  /** Takes nothing new, and resolves when nothing is under way any more, after `drainMs` at the latest. */
  async drain(): Promise<void> {
    this.kernel.drain(monotonicNow());
    this.#timer.arm();
    await this.#drained.promise;
  }

  /** Closes what is open but the links. */
  async close(): Promise<void> {
    this.#timer.stop();
    clearInterval(this.#checking);
    await this.openclaw.close();
    await this.#ledger?.close();
    this.#state?.release();
  }

  /** Drops everything at once, as a crash would. */
  async kill(): Promise<void> {
    this.links.destroy();
    this.kernel.abandon(monotonicNow());
    await this.close();
  }

  #output(): GuestOutput {
    return {
      record: (life, line) => void this.#record(life, line),
      callModel: (life, request, watchTools) => this.#calls.begin(life, request, watchTools),
      pauseModel: (life) => this.#calls.pause(life),
      resumeModel: (life) => this.#calls.resume(life),
      endModel: (life, answered) => this.#calls.end(life, answered),
      applyConfig: (ticket, wanted) => void this.#apply(ticket, wanted),
      drained: () => this.#drained.resolve(),
      log: (level, event, fields) => this.log[level](event, fields),
      fault: (event, cause, fields) =>
        this.log.error(event, { ...fields, reason: errorName(cause), place: errorPlace(cause) }),
    };
  }

  /** Writes a request down. In memory there is nothing to do but to say so, in a turn of its own. */
  async #record(life: string, line: LedgerLine): Promise<void> {
    let ok = true;
    try {
      await this.#ledger?.append(line);
    } catch (error) {
      ok = false;
      this.log.error("ledger_not_written", { reason: errorText(error) });
    }
    this.kernel.recorded(life, ok, monotonicNow());
    this.#timer.arm();
  }

  /** Has OpenClaw obey a configuration. */
  async #apply(ticket: number, { settings, policy }: WantedConfig): Promise<void> {
    let outcome: ConfigOutcome;
    try {
      const refused = await this.openclaw.apply({ model: settings.model, policy });
      outcome = refused === undefined ? { kind: "applied" } : { kind: "refused", reason: refused };
    } catch (error) {
      outcome = { kind: "away", reason: errorName(error) };
    }
    this.kernel.configApplied(ticket, outcome, monotonicNow());
    this.#timer.arm();
  }

  #onServerChange(): void {
    this.kernel.openclawChanged(viewOf(this.openclaw), monotonicNow());
    this.#timer.arm();
  }
}

function viewOf({ state, kind, kindReason }: OpenClaw): ServerView {
  return { state, kind, kindReason };
}
