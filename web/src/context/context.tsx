import { useSignal } from "@preact/signals";
import { client } from "../api.ts";
import { moment } from "../clock.ts";
import { type Problem, readProblem } from "../problem.ts";
import { Notice, ProblemNotice } from "../ui/notice.tsx";
import { visible } from "../visible.ts";
import { entriesOf, noteEntry } from "./entries.ts";
import { EntryForm } from "./form.tsx";

/** What became of a push. */
interface Result {
  readonly applied: boolean;
  readonly reason: string;
  /** What was done, for people. */
  readonly text: string;
}

/** Sets and removes entries of an agent's context. */
export function Context({ agentId }: { readonly agentId: string }) {
  const key = useSignal("");
  const problem = useSignal<Problem | undefined>(undefined);
  const result = useSignal<Result | undefined>(undefined);
  const busy = useSignal(false);
  const push = async (name: string, context: string) => {
    busy.value = true;
    problem.value = undefined;
    result.value = undefined;
    try {
      const { applied, reason } = await client.pushContext(agentId, context, name);
      noteEntry(agentId, name, context);
      result.value = { applied, reason, text: `${label(name)} is ${context === "" ? "removed" : "set"}` };
    } catch (thrown) {
      problem.value = readProblem(thrown);
    } finally {
      busy.value = false;
    }
  };
  return (
    <main class="page">
      <h2>Context</h2>
      <p class="muted">
        Texts that the agent sees with every message. They are set here, and cannot be read back.
      </p>
      <EntryForm name={key} busy={busy.value} onPush={(name, context) => void push(name, context)} />
      {problem.value !== undefined && <ProblemNotice problem={problem.value} />}
      {result.value !== undefined && <Said result={result.value} />}
      <Entries
        agentId={agentId}
        onRemove={(name) => void push(name, "")}
        onEdit={(name) => (key.value = name)}
      />
    </main>
  );
}

function Said({ result }: { readonly result: Result }) {
  const { applied, reason, text } = result;
  return (
    <Notice kind={applied ? "good" : "warn"}>
      {text}, {applied ? "and the agent has it." : "and the agent does not have it yet: "}
      <bdi>{visible(reason)}</bdi>
    </Notice>
  );
}

function Entries(props: {
  readonly agentId: string;
  readonly onRemove: (name: string) => void;
  readonly onEdit: (name: string) => void;
}) {
  const entries = entriesOf(props.agentId).value;
  return (
    <section>
      <h3>Set in this browser</h3>
      {entries.length === 0 && (
        <p class="muted">No entry yet. Entries that were set elsewhere are not listed.</p>
      )}
      <ul class="plain">
        {entries.map(({ key, chars, at }) => (
          <li key={key} class="entry">
            <code>{label(key)}</code>
            <span class="muted">
              {chars} characters, {moment(at)}
            </span>
            <span class="buttons">
              <button type="button" class="button quiet" onClick={() => props.onEdit(key)}>
                Set anew
              </button>
              <button type="button" class="button quiet" onClick={() => props.onRemove(key)}>
                Remove
              </button>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function label(key: string): string {
  return key === "" ? "(default)" : key;
}
