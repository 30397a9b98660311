import { useSignal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Agent } from "@valinor/proto/valinor/v1/agent_registry";
import { agentHref, navigate } from "../route.ts";
import { Badge } from "../ui/notice.tsx";
import { CreateAgent } from "./create.tsx";
import { DeleteAgent } from "./delete.tsx";
import { configLabel, type Label, linkLabel, openclawLabel, statusLabel } from "./labels.ts";
import { agents, agentsKnown, watchHealth } from "./watch.ts";
import { isComposing } from "../ui/composing.ts";

/** Rows shown at most; a filter finds the others. */
const MAX_ROWS = 500;

/** The list of agents, live. */
export function AgentList() {
  const filter = useSignal("");
  const creating = useSignal(false);
  const deleting = useSignal<string | undefined>(undefined);
  const list = useRef<HTMLUListElement>(null);
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const found = agents.value.filter((agent) => words.every((word) => haystack(agent).includes(word)));
  const shown = found.slice(0, MAX_ROWS);
  return (
    <main class="page">
      <div class="toolbar">
        <h1>Agents</h1>
        <input
          id="filter"
          class="input"
          type="search"
          placeholder="Filter: id, status, address"
          aria-label="Filter agents"
          aria-keyshortcuts="/"
          value={filter.value}
          onInput={(event) => (filter.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "ArrowDown") moveFocus(event, list.current, "first");
            if (event.key === "Enter" && !isComposing(event) && shown[0] !== undefined)
              navigate(agentHref(shown[0].id));
          }}
        />
        <button type="button" class="button primary" onClick={() => (creating.value = true)}>
          New agent
        </button>
      </div>
      <div class="agents">
        <div class="agent-head" aria-hidden="true">
          {columns.map((name) => (
            <span key={name}>{name}</span>
          ))}
        </div>
        <ul
          ref={list}
          class="agent-rows"
          aria-label="Agents"
          onKeyDown={(event) => onListKey(event, list.current)}
        >
          {shown.map((agent) => (
            <AgentRow key={agent.id} agent={agent} onDelete={() => (deleting.value = agent.id)} />
          ))}
        </ul>
      </div>
      <p class="muted" role="status">
        {summary(found.length, shown.length, words.length > 0)}
      </p>
      {creating.value && <CreateAgent onClose={() => (creating.value = false)} />}
      {deleting.value !== undefined && (
        <DeleteAgent id={deleting.value} onClose={() => (deleting.value = undefined)} />
      )}
    </main>
  );
}

const columns = ["Agent", "Machine", "Link", "Configuration", "In flight", "OpenClaw"] as const;

function AgentRow({ agent, onDelete }: { readonly agent: Agent; readonly onDelete: () => void }) {
  const { liveness } = agent;
  const config = configLabel(liveness?.configState ?? 0);
  const revision = agent.configRevision === 0 ? "" : ` r${agent.configRevision}`;
  return (
    <li class="agent-row" data-agent={agent.id}>
      <a class="agent-link" href={agentHref(agent.id)}>
        <span class="agent-id">{agent.id}</span>
        <Cell name="Machine" label={statusLabel(agent.status)} />
        <Cell name="Link" label={linkLabel(agent)} />
        <Cell name="Configuration" label={{ ...config, text: config.text + revision }} />
        <span class="cell number">
          <span class="cell-name">In flight </span>
          {liveness?.inFlight ?? 0}
        </span>
        <Cell name="OpenClaw" label={openclawLabel(liveness?.openclaw ?? "")} />
      </a>
      <button type="button" class="button quiet" aria-label={`Delete ${agent.id}`} onClick={onDelete}>
        Delete
      </button>
    </li>
  );
}

function Cell({ name, label }: { readonly name: string; readonly label: Label }) {
  return (
    <span class="cell">
      <span class="cell-name">{name} </span>
      <Badge kind={label.kind}>{label.text}</Badge>
    </span>
  );
}

function haystack(agent: Agent): string {
  const words = [agent.id, agent.address, statusLabel(agent.status).text, linkLabel(agent).text];
  return words.join(" ").toLowerCase();
}

function summary(found: number, shown: number, filtered: boolean): string {
  if (!agentsKnown.value) return watchHealth.value.kind === "lost" ? "" : "Reading the list...";
  if (found > shown) return `${shown} of ${found} agents: narrow the filter to see the others.`;
  if (found === 0)
    return filtered ? "No agent matches the filter." : "There are no agents yet: make the first one.";
  return `${found} ${found === 1 ? "agent" : "agents"}`;
}

function onListKey(event: KeyboardEvent, list: HTMLElement | null): void {
  if (event.key === "ArrowDown") moveFocus(event, list, "next");
  if (event.key === "ArrowUp") moveFocus(event, list, "previous");
  if (event.key === "Home") moveFocus(event, list, "first");
  if (event.key === "End") moveFocus(event, list, "last");
}

function moveFocus(
  event: KeyboardEvent,
  list: HTMLElement | null,
  to: "first" | "next" | "previous" | "last",
): void {
  const links = [...(list?.querySelectorAll<HTMLElement>(".agent-link") ?? [])];
  const row = document.activeElement?.closest(".agent-row");
  const at = links.findIndex((link) => link.closest(".agent-row") === row);
  const index = { first: 0, next: at + 1, previous: at - 1, last: links.length - 1 }[to];
  event.preventDefault();
  if (to === "previous" && at <= 0) document.querySelector<HTMLElement>("#filter")?.focus();
  else links[index]?.focus();
}
