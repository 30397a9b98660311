import type { AgentStatusView } from "../../core/types.ts";
import { writeJson } from "../routing/json-answer.ts";
import type { RouteContext } from "../routing/routes.ts";

/** OpenAI's list has no pages: this many agents are read, a page at a time. */
const MAX_MODELS = 10_000;
const READ_AT_ONCE = 1_000;
/** Pages that are read at most: a page ends early if its agents have much to tell. */
const MAX_PAGES = 100;

/** GET `/v1/models`: the agents of the caller's tenant; the first 10,000 if there are more. */
export async function modelsRoute({ core, caller, res }: RouteContext): Promise<void> {
  const agents: AgentStatusView[] = [];
  let pageToken = "";
  for (let page = 0; page < MAX_PAGES && agents.length < MAX_MODELS; page++) {
    const answer = await core.listAgents(caller, { pageSize: READ_AT_ONCE, pageToken, filter: "" });
    agents.push(...answer.agents);
    pageToken = answer.nextPageToken;
    if (pageToken === "") break;
  }
  writeJson(res, 200, { object: "list", data: agents.slice(0, MAX_MODELS).map(modelJson) });
}

/** GET `/v1/models/{id}`: one of them. */
export async function modelRoute({ core, caller, agentId, res }: RouteContext): Promise<void> {
  writeJson(res, 200, modelJson(await core.getAgent(caller, agentId)));
}

function modelJson({ agent }: AgentStatusView): object {
  const created = Math.floor(agent.createTime.getTime() / 1000);
  return { id: agent.id, object: "model", created, owned_by: "valinor" };
}
