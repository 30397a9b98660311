import { useSignal } from "@preact/signals";
import { AgentStatus } from "@valinor/proto/valinor/v1/types";
import { agents } from "../agents/watch.ts";
import { client } from "../api.ts";
import { type Problem, readProblem } from "../problem.ts";
import { ProblemNotice } from "../ui/notice.tsx";
import { visible } from "../visible.ts";

const choices = [
  [AgentStatus.RUNNING, "runs: dial it"],
  [AgentStatus.STOPPED, "is stopped"],
  [AgentStatus.PROVISIONING, "is being made"],
  [AgentStatus.FAILED, "has failed"],
] as const;

/** Says where the agent's machine is in its life, as its orchestrator would. */
export function MachineForm({ agentId }: { readonly agentId: string }) {
  const agent = agents.value.find(({ id }) => id === agentId);
  const problem = useSignal<Problem | undefined>(undefined);
  if (agent === undefined) return null;
  const update = async (status: AgentStatus) => {
    try {
      await client.agents.updateAgent({
        agent: { id: agentId, etag: agent.etag, status },
        updateMask: { paths: ["status"] },
      });
      problem.value = undefined;
    } catch (thrown) {
      problem.value = readProblem(thrown);
    }
  };
  return (
    <section class="machine">
      <h3>Machine</h3>
      <p class="muted">
        Address <code>{visible(agent.address) || "derived from its id and CID"}</code>
        {agent.vsockCid > 0 && `, vsock CID ${agent.vsockCid}`}. Its orchestrator starts and stops the
        machine, and says so here.
      </p>
      <label class="inline">
        The machine
        <select
          class="input"
          value={String(agent.status)}
          onChange={(event) => void update(Number(event.currentTarget.value) as AgentStatus)}
        >
          {choices.map(([status, text]) => (
            <option key={status} value={String(status)}>
              {text}
            </option>
          ))}
        </select>
      </label>
      {problem.value !== undefined && <ProblemNotice problem={problem.value} />}
    </section>
  );
}
