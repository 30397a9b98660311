import { type Signal, signal } from "@preact/signals";
import { readList, storage, write } from "../storage.ts";

/** An entry of an agent's context as this browser set it. Its text is not kept here. */
export interface Entry {
  /** Empty for the default entry. */
  readonly key: string;
  readonly chars: number;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const box = storage("local");
const known = new Map<string, Signal<readonly Entry[]>>();

/** The entries that this browser set, the latest first. */
export function entriesOf(agentId: string): Signal<readonly Entry[]> {
  let list = known.get(agentId);
  if (list === undefined) known.set(agentId, (list = signal(readList(box, keyOf(agentId), readEntry))));
  return list;
}

/** Notes that an entry was set, or removed if the text is empty. */
export function noteEntry(agentId: string, key: string, context: string): void {
  const list = entriesOf(agentId);
  const rest = list.value.filter((entry) => entry.key !== key);
  const entry = { key, chars: context.length, at: Date.now() };
  list.value = context === "" ? rest : [entry, ...rest].slice(0, 64);
  write(box, keyOf(agentId), JSON.stringify(list.value));
}

function keyOf(agentId: string): string {
  return `valinor.context.${agentId}`;
}

function readEntry(value: unknown): Entry | undefined {
  const { key, chars, at } = (value ?? {}) as Partial<Entry>;
  const good = typeof key === "string" && typeof chars === "number" && typeof at === "number";
  return good ? { key, chars, at } : undefined;
}
