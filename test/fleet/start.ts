import type { JsonObject } from "@bufbuild/protobuf";
import { Fleet, type FleetOptions } from "../../src/fleet/fleet.ts";
import type { AgentHandle } from "../../src/fleet/handle.ts";
import { openSqliteStore } from "../../src/store/sqlite/sqlite.ts";
import type { AgentKey, ConfigRecord, NewConfig, Store } from "../../src/store/store.ts";
import { parseAddress } from "../../protocol/transport/address.ts";
import { dial } from "../../protocol/transport/dial.ts";
import { configDigest } from "../../protocol/wire/digest.ts";
import { Context } from "../../agent/settings/context.ts";
import { afterFile } from "../helpers/cleanup.ts";
import { noUnexpectedErrors } from "../helpers/unexpected.ts";
import { type Behaviour, type Guest, type Session, startGuest } from "../link/fake-guest.ts";

/** Who does things in these tests. */
export const by = { subject: "test", credential: "local" };

/** The agent that most tests are about. */
export const a: AgentKey = { tenant: "t", id: "a" };

/** A policy that allows every tool. */
export const all = { mode: "all", tools: [] } as const;

/** How a fleet is started. */
export interface Start extends Partial<FleetOptions> {
  /** The store that the fleet sees; everything else goes to the real one. */
  readonly wrap?: (store: Store) => Store;
  /** A store with agents in it already. */
  readonly on?: Store;
}

/** A fleet over a store in memory with these agents, by id; it ends after the file's last test. */
export async function start(agents: { [id: string]: string }, options: Start = {}) {
  const { wrap = (store) => store, on, errors = noUnexpectedErrors(), ...more } = options;
  const store = on ?? (await openSqliteStore(":memory:"));
  for (const [id, address] of Object.entries(agents))
    await store.createAgent({ tenant: "t", id, status: "RUNNING", vsockCid: 0, address }, by);
  const links: string[] = [];
  const fleet = new Fleet({
    store: wrap(store),
    dial,
    addressOf: ({ address }) => (address === "" ? undefined : parseAddress(address)),
    token: () => "",
    pingMs: 3_000,
    configMs: 500,
    messageMs: 5_000,
    refreshMs: 60_000,
    openConfig: (_key, stored) => stored,
    onLink: (key, up, detail) => links.push(`${key.id} ${up ? "up" : "down"}: ${detail}`),
    errors,
    ...more,
  });
  afterFile(async () => {
    fleet.close();
    if (on === undefined) await store.close();
  });
  await fleet.start();
  const find = (id = "a"): AgentHandle => {
    const handle = fleet.find({ tenant: "t", id });
    if (handle === undefined) throw new Error(`there is no ${id}`);
    return handle;
  };
  return {
    store,
    fleet,
    links,
    find,
    /** Stores a configuration and has the agent pushed to. */
    push: async (config: JsonObject) => find().configStored(await putConfig(store, config)),
    /** Stores a context entry and has the agent pushed to. */
    tell: async (key: string, text: string) =>
      find().contextStored(await store.putContext(a, { key, payload: { context: text, key } }, by)),
  };
}

/** Stores a configuration for the agent `a`. */
export function putConfig(store: Store, config: JsonObject): Promise<ConfigRecord> {
  const sha256 = configDigest(config, all);
  const next: NewConfig = { config, policy: all, sha256, actor: by, rollbackOf: 0, expectedRevision: 0 };
  return store.putConfig(a, next);
}

/** Types of the frames that came on a guest's connection, counted from 1. */
export function typesOf(guest: Guest, session: number): string[] {
  return guest.sessions[session - 1]?.received.map(({ type }) => type) ?? [];
}

/** Payloads of the frames of a type that came, over all connections. */
export function payloadsOf(guest: Guest, type: string): { readonly [key: string]: unknown }[] {
  return guest.sessions
    .flatMap((session) => session.received)
    .filter((frame) => frame.type === type)
    .map(({ payload }) => payload);
}

/** A guest that keeps a context as the agent does and tells its digest. `take` may refuse an entry with a reason. */
export async function contextGuest(
  behaviour: Partial<Behaviour> = {},
  take: (key: string, text: string) => string | undefined = () => undefined,
) {
  const state = {
    context: new Context({ contextEntries: 64, contextEntryBytes: 1_000, contextBytes: 10_000 }),
  };
  const heartbeat = (session: Session) => session.heartbeat({ context_sha256: state.context.sha256 });
  const guest = await startGuest({
    ...behaviour,
    on: {
      hello: heartbeat,
      context_update(session, { id, payload }) {
        const { key = "", context } = payload as { key?: string; context: string };
        const refused = take(key, context);
        const reason = refused ?? state.context.update(payload);
        const context_sha256 = state.context.sha256;
        if (reason === undefined) session.send("config_ack", id, { applied: true, context_sha256 });
        else session.send("config_ack", id, { applied: false, reason, context_sha256 });
      },
      ...behaviour.on,
    },
  });
  return { guest, state, heartbeat, texts: () => state.context.texts() };
}
