import { Fleet } from "../../src/fleet/fleet.ts";
import { createAudit } from "../../src/core/audit/audit.ts";
import { localCaller } from "../../src/core/access/authorize.ts";
import { createCore } from "../../src/core/core.ts";
import { createLifecycle, type Lifecycle } from "../../src/core/lifecycle.ts";
import type { CoreOptions } from "../../src/core/options.ts";
import { createQuota, type QuotaLimits } from "../../src/core/access/quota.ts";
import type { SendInput, StreamInput } from "../../src/core/inputs.ts";
import type { Caller, Core, RunEvent, RunStream } from "../../src/core/types.ts";
import type { Store } from "../../src/store/store.ts";
import { createVault } from "../../src/store/vault/vault.ts";
import { parseAddress } from "../../protocol/transport/address.ts";
import { dial } from "../../protocol/transport/dial.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { openTestStore } from "../helpers/test-store.ts";
import { noUnexpectedErrors } from "../helpers/unexpected.ts";

/** A control plane without its listener: store, fleet and calls. */
export interface World {
  readonly store: Store;
  readonly fleet: Fleet;
  readonly core: Core;
  /** What the calls are made of, to make some of them otherwise. */
  readonly options: CoreOptions;
  /** Adds an agent of the caller's tenant that listens at the address. */
  add(id: string, address: string, caller?: Caller): Promise<void>;
  readonly lifecycle: Lifecycle;
}

/** Durations in milliseconds; each has a default that suits a guest that answers. */
export interface WorldOptions {
  readonly messageMs?: number;
  readonly configMs?: number;
  readonly store?: Store;
  /** Pause between two looks at what other processes changed in the store. */
  readonly refreshMs?: number;
  /** Default: none. */
  readonly quotas?: Partial<QuotaLimits>;
}

const unbounded: QuotaLimits = {
  tenantRequestsPerSecond: 0,
  keyRequestsPerSecond: 0,
  tenantRuns: 0,
  keyRuns: 0,
};

/** Makes a control plane over a store in memory; it ends after the file's last test. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { messageMs = 10_000, configMs = 5_000 } = options;
  const store = options.store ?? (await openTestStore());
  const vault = createVault([]);
  const audit = createAudit({ store, onError: () => {} });
  const errors = noUnexpectedErrors();
  const fleet = new Fleet({
    store,
    dial,
    openConfig: (key, stored) => vault.open(key, stored),
    addressOf: ({ address }) => (address === "" ? undefined : parseAddress(address)),
    token: () => "",
    pingMs: 3_000,
    configMs,
    messageMs,
    ...(options.refreshMs !== undefined && { refreshMs: options.refreshMs }),
    onLink: () => {},
    errors,
  });
  afterFile(async () => {
    fleet.close();
    await audit.close();
    await store.close();
  });
  const lifecycle = createLifecycle();
  const coreOptions: CoreOptions = {
    store,
    fleet,
    vault,
    audit,
    quota: createQuota({ ...unbounded, ...options.quotas }),
    messageMs,
    configMs,
    lifecycle,
    onUnheardError: (error, text) => errors.note(text, error),
    checkAddress: () => {},
  };
  const world: World = {
    store,
    fleet,
    options: coreOptions,
    core: createCore(coreOptions),
    async add(id, address, caller = localCaller) {
      await world.core.createAgent(caller, { id, status: "RUNNING", vsockCid: 0, address });
    },
    lifecycle,
  };
  return world;
}

/** A user of a tenant who may do everything. */
export function userOf(tenant: string, subject: string): Caller {
  return { ...localCaller, tenant, subject };
}

/** A message to an agent, as `send` takes it. */
export function message(agentId: string, content: string, more: Partial<SendInput> = {}): SendInput {
  const text = { role: "user", content } as const;
  return { agentId, message: text, conversationId: "", requestId: "", allowStaleConfig: false, ...more };
}

/** A message to an agent, as `stream` takes it. */
export function streamed(agentId: string, content: string, more: Partial<StreamInput> = {}): StreamInput {
  return { ...message(agentId, content), afterSequence: 0, ...more };
}

/** Every event of a stream to its end, and the error that ended it. */
export async function drain(stream: RunStream): Promise<{ events: RunEvent[]; error: unknown }> {
  const events: RunEvent[] = [];
  try {
    for (;;) {
      const batch = await stream.next();
      if (batch === undefined) return { events, error: undefined };
      events.push(...batch);
    }
  } catch (error) {
    return { events, error };
  }
}

/** The text of a stream's events. */
export function textOf(events: readonly RunEvent[]): string {
  return events.map((event) => (event.kind === "text" ? event.text : "")).join("");
}
