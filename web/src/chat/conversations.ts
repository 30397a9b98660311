import { type Signal, signal } from "@preact/signals";
import { randomId, readList, storage, write } from "../storage.ts";
import { isName } from "@valinor/protocol/rules";

/** A conversation that was begun here. What was said in it is kept by the agent, and by the tab. */
export interface Conversation {
  readonly id: string;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly begunAt: number;
}

/** Conversations of an agent that are listed at most. */
const MAX = 50;

const box = storage("local");
const known = new Map<string, Signal<readonly Conversation[]>>();

/** The conversations begun with an agent in this browser, the newest first; there is always one. */
export function conversationsOf(agentId: string): Signal<readonly Conversation[]> {
  let list = known.get(agentId);
  if (list === undefined) {
    const stored = readList(box, keyOf(agentId), readConversation);
    list = signal(stored.length > 0 ? stored : [fresh([])]);
    known.set(agentId, list);
    if (stored.length === 0) keep(agentId, list.value);
  }
  return list;
}

/** Begins a conversation; answers its id. */
export function beginConversation(agentId: string): string {
  const list = conversationsOf(agentId);
  const conversation = fresh(list.value);
  list.value = [conversation, ...list.value].slice(0, MAX);
  keep(agentId, list.value);
  return conversation.id;
}

/** Gives a conversation another name; an empty one changes nothing. */
export function renameConversation(agentId: string, id: string, name: string): void {
  const text = name.trim().slice(0, 80);
  if (text === "") return;
  const list = conversationsOf(agentId);
  list.value = list.value.map((entry) => (entry.id === id ? { ...entry, name: text } : entry));
  keep(agentId, list.value);
}

/** Takes a conversation off the list; the agent keeps what it remembers of it. */
export function forgetConversation(agentId: string, id: string): void {
  const list = conversationsOf(agentId);
  const rest = list.value.filter((entry) => entry.id !== id);
  list.value = rest.length > 0 ? rest : [fresh([])];
  keep(agentId, list.value);
}

function fresh(others: readonly Conversation[]): Conversation {
  const numbers = others.map(({ name }) => Number(/^Conversation (\d+)$/.exec(name)?.[1] ?? 0));
  const number = Math.max(0, ...numbers) + 1;
  return { id: `web-${randomId()}`, name: `Conversation ${number}`, begunAt: Date.now() };
}

function keep(agentId: string, list: readonly Conversation[]): void {
  write(box, keyOf(agentId), JSON.stringify(list));
}

function keyOf(agentId: string): string {
  return `valinor.conversations.${agentId}`;
}

function readConversation(entry: unknown): Conversation | undefined {
  const { id, name, begunAt } = (entry ?? {}) as Partial<Conversation>;
  const good = typeof id === "string" && isName(id) && typeof name === "string";
  return good ? { id, name, begunAt: typeof begunAt === "number" ? begunAt : 0 } : undefined;
}
