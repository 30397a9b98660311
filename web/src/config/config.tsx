import { useComputed, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { agents } from "../agents/watch.ts";
import { Notice, ProblemNotice } from "../ui/notice.tsx";
import { visible } from "../visible.ts";
import { Conflict } from "./conflict.tsx";
import { Compare } from "./compare.tsx";
import { Editor } from "./editor.tsx";
import { Revisions } from "./revisions.tsx";
import { configOf, readRevisions } from "./store.ts";

/** An agent's configuration: what it is, what it was, and what it is to be. */
export function Config({ agentId }: { readonly agentId: string }) {
  const { revisions, draft, problem, result } = configOf(agentId);
  const pair = useSignal<readonly [number, number] | undefined>(undefined);
  // Asked anew whenever the watch tells of another revision, or of the agent's verdict on one.
  const told = useComputed(() => {
    const agent = agents.value.find(({ id }) => id === agentId);
    return `${agent?.configRevision} ${agent?.liveness?.configState} ${agent?.liveness?.observedRevision}`;
  }).value;
  useEffect(() => void readRevisions(agentId), [agentId, told]);
  const newest = revisions.value[0]?.revision ?? 0;
  const conflict = problem.value?.reason === "REVISION_CONFLICT";
  return (
    <main class="page config">
      <div class="config-columns">
        <section aria-labelledby="config-editor">
          <h2 id="config-editor">Configuration</h2>
          {draft.value !== undefined && <Editor agentId={agentId} draft={draft.value} newest={newest} />}
          {(conflict || (draft.value !== undefined && draft.value.baseRevision < newest)) && (
            <Conflict agentId={agentId} />
          )}
          {problem.value !== undefined && !conflict && <ProblemNotice problem={problem.value} />}
          {result.value !== undefined && (
            <Notice kind={result.value.applied ? "good" : "warn"}>
              Revision {result.value.revision} is stored
              {result.value.applied ? ", and the agent has it in force." : ", and not in force yet: "}
              <bdi>{visible(result.value.reason)}</bdi>
            </Notice>
          )}
        </section>
        <section aria-labelledby="config-revisions">
          <h2 id="config-revisions">Revisions</h2>
          <Revisions
            agentId={agentId}
            revisions={revisions.value}
            onCompare={(from, to) => {
              pair.value = [from, to];
              document.querySelector("#compare")?.scrollIntoView({ block: "nearest" });
            }}
          />
        </section>
      </div>
      {revisions.value.length > 1 && (
        <Compare
          revisions={revisions.value}
          pair={pair.value ?? [revisions.value[1]?.revision ?? 0, newest]}
          onChange={(from, to) => (pair.value = [from, to])}
        />
      )}
    </main>
  );
}
