/** The roles that the tests' issuer and keys have; `nobody` has a good credential and no permission. */
export const roles = ["nobody", "viewer", "operator", "admin", "platform"] as const;
/** One of them. */
export type Role = (typeof roles)[number];

/** What one may ask for, and who may: written by hand, so that the source's own table is held against something else. */
export interface Row {
  readonly may: readonly Role[];
  /** Whether it is about one agent; otherwise it is about the tenant. */
  readonly about: "agent" | "tenant";
  /** The agent that it is about is gone afterwards. */
  readonly removes?: true;
  /** The request about this agent: the fields of the RPC's message in JSON, or the body of the route's request. */
  readonly ask: (agentId: string) => object;
}

const read: readonly Role[] = ["viewer", "operator", "admin", "platform"];
const write: readonly Role[] = ["operator", "admin", "platform"];
const admin: readonly Role[] = ["admin", "platform"];

const message = { role: "user", content: "hello" };
/** Given, so that two errors can be compared; the server would make it up. */
const requestId = "r";
let made = 0;

/** Every RPC by its name. */
export const rpcRows: Readonly<Record<string, Row>> = {
  "AgentProxy/SendMessage": {
    may: write,
    about: "agent",
    ask: (agentId) => ({ agentId, message, requestId }),
  },
  "AgentProxy/Stream": { may: write, about: "agent", ask: (agentId) => ({ agentId, message, requestId }) },
  "AgentProxy/PushConfig": { may: admin, about: "agent", ask: (agentId) => ({ agentId, config: {} }) },
  "AgentProxy/PushContext": {
    may: write,
    about: "agent",
    ask: (agentId) => ({ agentId, key: "k", context: "c" }),
  },
  "AgentProxy/CancelMessage": { may: write, about: "agent", ask: (agentId) => ({ agentId, requestId: "r" }) },
  "AgentProxy/GetAgentStatus": { may: read, about: "agent", ask: (agentId) => ({ agentId }) },
  "AgentRegistry/CreateAgent": {
    may: admin,
    about: "tenant",
    ask: () => ({ agent: { id: `made-${++made}`, status: "AGENT_STATUS_STOPPED" } }),
  },
  "AgentRegistry/GetAgent": { may: read, about: "agent", ask: (agentId) => ({ agentId }) },
  "AgentRegistry/ListAgents": { may: read, about: "tenant", ask: () => ({ pageSize: 1000 }) },
  "AgentRegistry/UpdateAgent": {
    may: admin,
    about: "agent",
    ask: (id) => ({ agent: { id, status: "AGENT_STATUS_STOPPED" }, updateMask: "status" }),
  },
  "AgentRegistry/DeleteAgent": { may: admin, about: "agent", removes: true, ask: (agentId) => ({ agentId }) },
  "AgentRegistry/WatchAgents": { may: read, about: "tenant", ask: () => ({}) },
  "AgentRegistry/ListConfigRevisions": { may: read, about: "agent", ask: (agentId) => ({ agentId }) },
  "AgentRegistry/RollbackConfig": {
    may: admin,
    about: "agent",
    ask: (agentId) => ({ agentId, revision: 1 }),
  },
};

/** Every REST route by method and path. */
export const routeRows: Readonly<Record<string, Row>> = {
  "GET /agents": { may: read, about: "tenant", ask: () => ({}) },
  "GET /agents/:id": { may: read, about: "agent", ask: () => ({}) },
  "POST /agents/:id/message": { may: write, about: "agent", ask: () => message },
  "GET /agents/:id/stream": { may: write, about: "agent", ask: () => ({}) },
  "POST /agents/:id/stream": { may: write, about: "agent", ask: () => message },
  "POST /agents/:id/context": { may: write, about: "agent", ask: () => ({ context: "c", key: "k" }) },
  "POST /agents/:id/cancel": { may: write, about: "agent", ask: () => ({ request_id: "r" }) },
  "POST /v1/chat/completions": {
    may: write,
    about: "agent",
    ask: (model) => ({ model, messages: [message] }),
  },
  "GET /v1/models/:id": { may: read, about: "agent", ask: () => ({}) },
  "GET /v1/models": { may: read, about: "tenant", ask: () => ({}) },
};
