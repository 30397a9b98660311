import { useSignal } from "@preact/signals";
import { AgentStatus } from "@valinor/client";
import { AGENT_ID_PATTERN } from "@valinor/protocol/rules";
import { client } from "../api.ts";
import { type Problem, readProblem } from "../problem.ts";
import { agentHref, navigate } from "../route.ts";
import { Dialog } from "../ui/dialog.tsx";
import { ProblemNotice } from "../ui/notice.tsx";

/** Asks for a new agent, and goes to it. */
export function CreateAgent({ onClose }: { readonly onClose: () => void }) {
  const problem = useSignal<Problem | undefined>(undefined);
  const busy = useSignal(false);
  const create = async (form: HTMLFormElement) => {
    busy.value = true;
    try {
      const agent = readAgent(new FormData(form));
      await client.agents.createAgent({ agent });
      onClose();
      navigate(agentHref(agent.id, "status"));
    } catch (thrown) {
      problem.value = readProblem(thrown);
    } finally {
      busy.value = false;
    }
  };
  return (
    <Dialog title="New agent" onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void create(event.currentTarget);
        }}
      >
        <IdField />
        <AddressFields />
        <label>
          Machine
          <select class="input" name="status">
            <option value="running">runs: dial it</option>
            <option value="provisioning">is being made</option>
          </select>
        </label>
        {problem.value !== undefined && <ProblemNotice problem={problem.value} />}
        <div class="buttons">
          <button type="button" class="button" onClick={onClose}>
            Close
          </button>
          <button type="submit" class="button primary" disabled={busy.value}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function IdField() {
  return (
    <label>
      Id
      <input
        class="input"
        name="id"
        required
        maxLength={63}
        pattern={AGENT_ID_PATTERN}
        title="letters, digits, dot, underscore and hyphen"
        autocomplete="off"
        spellcheck={false}
      />
    </label>
  );
}

function AddressFields() {
  return (
    <>
      <label>
        <span>
          Address <span class="muted">(empty: from its id and CID)</span>
        </span>
        <input
          class="input"
          name="address"
          placeholder="tcp://127.0.0.1:9103"
          autocomplete="off"
          spellcheck={false}
        />
      </label>
      <label>
        <span>
          vsock CID <span class="muted">(empty: none)</span>
        </span>
        <input class="input" name="cid" type="number" min={3} max={4294967294} />
      </label>
    </>
  );
}

/** The agent that the form's fields describe. */
function readAgent(fields: FormData) {
  const text = (name: string) => {
    const value = fields.get(name);
    return typeof value === "string" ? value.trim() : "";
  };
  return {
    id: text("id"),
    address: text("address"),
    vsockCid: Number(text("cid") || 0),
    status: text("status") === "provisioning" ? AgentStatus.PROVISIONING : AgentStatus.RUNNING,
  };
}
