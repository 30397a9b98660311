import { useSignal } from "@preact/signals";
import { client } from "../api.ts";
import { type Problem, readProblem } from "../problem.ts";
import { Confirm } from "../ui/dialog.tsx";
import { ProblemNotice } from "../ui/notice.tsx";

/** Deletes an agent once that was confirmed. */
export function DeleteAgent({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const problem = useSignal<Problem | undefined>(undefined);
  const remove = async () => {
    try {
      await client.agents.deleteAgent({ agentId: id });
      onClose();
    } catch (thrown) {
      problem.value = readProblem(thrown);
    }
  };
  return (
    <Confirm
      title={`Delete ${id}?`}
      action="Delete it"
      danger
      onConfirm={() => void remove()}
      onClose={onClose}
    >
      <p>
        Its configurations and its context go with it, and its links are dropped. The machine itself is not
        touched.
      </p>
      {problem.value !== undefined && <ProblemNotice problem={problem.value} />}
    </Confirm>
  );
}
