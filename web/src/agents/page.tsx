import { Chat } from "../chat/chat.tsx";
import { Config } from "../config/config.tsx";
import { Context } from "../context/context.tsx";
import { agentHref, type Tab, tabs } from "../route.ts";
import { Status } from "../status/status.tsx";
import { Badge, Notice } from "../ui/notice.tsx";
import { linkLabel, statusLabel } from "./labels.ts";
import { agents, agentsKnown } from "./watch.ts";

const names: Readonly<Record<Tab, string>> = {
  chat: "Chat",
  status: "Status",
  config: "Config",
  context: "Context",
};

/** An agent, tab by tab. */
export function AgentPage({ id, tab }: { readonly id: string; readonly tab: Tab }) {
  const agent = agents.value.find((entry) => entry.id === id);
  const machine = statusLabel(agent?.status ?? 0);
  const link = agent === undefined ? undefined : linkLabel(agent);
  return (
    <div class="agent-page">
      <div class="agent-bar">
        <a class="back" href="#/">
          Agents
        </a>
        <h1>{id}</h1>
        {agent !== undefined && <Badge kind={machine.kind}>{machine.text}</Badge>}
        {link !== undefined && <Badge kind={link.kind}>{link.text}</Badge>}
        <nav class="tabs" aria-label="Parts of the agent">
          {tabs.map((name) => (
            <a key={name} href={agentHref(id, name)} aria-current={name === tab ? "page" : undefined}>
              {names[name]}
            </a>
          ))}
        </nav>
      </div>
      {agent === undefined && agentsKnown.value && (
        <Notice kind="warn">There is no agent {id} any more, or you may not see it.</Notice>
      )}
      {tab === "chat" && <Chat agentId={id} />}
      {tab === "status" && <Status agentId={id} />}
      {tab === "config" && <Config agentId={id} />}
      {tab === "context" && <Context agentId={id} />}
    </div>
  );
}
