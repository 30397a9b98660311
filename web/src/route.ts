import { signal } from "@preact/signals";
import { AGENT_ID_PATTERN } from "@valinor/protocol/rules";

/** Tabs of an agent's page. */
export const tabs = ["chat", "status", "config", "context"] as const;

/** A tab of an agent's page. */
export type Tab = (typeof tabs)[number];

/** What the address names: the list, or a tab of an agent. */
export type Route =
  | { readonly view: "list" }
  | { readonly view: "agent"; readonly id: string; readonly tab: Tab };

const AGENT_HASH = new RegExp(`^#/agents/(${AGENT_ID_PATTERN})(?:/([a-z]+))?$`);

/** Reads the part of the address after `#`; what names nothing is the list. */
export function parseRoute(hash: string): Route {
  const match = AGENT_HASH.exec(hash);
  if (match?.[1] === undefined) return { view: "list" };
  return { view: "agent", id: match[1], tab: tabs.find((tab) => tab === match[2]) ?? "chat" };
}

/** Address of an agent's tab. */
export function agentHref(id: string, tab: Tab = "chat"): string {
  return `#/agents/${id}/${tab}`;
}

/** Where the page is. */
export const route = signal<Route>(parseRoute(location.hash));

window.addEventListener("hashchange", () => (route.value = parseRoute(location.hash)));

/** Goes there. */
export function navigate(href: string): void {
  location.hash = href;
}
