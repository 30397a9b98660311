import { useSignal } from "@preact/signals";
import { client } from "../api.ts";
import { moment } from "../clock.ts";
import { type Problem, readProblem } from "../problem.ts";
import { Notice, ProblemNotice } from "../ui/notice.tsx";
import { visible } from "../visible.ts";
import { entriesOf, noteEntry } from "./entries.ts";

/** Bytes of UTF-8 that an entry may have. */
const MAX_BYTES = 256 * 1024;

/** Sets and removes entries of an agent's context. */
export function Context({ agentId }: { readonly agentId: string }) {
  const key = useSignal("");
  const text = useSignal("");
  const problem = useSignal<Problem | undefined>(undefined);
  const result = useSignal<{ applied: boolean; reason: string; text: string } | undefined>(undefined);
  const busy = useSignal(false);
  const bytes = new TextEncoder().encode(text.value).length;
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
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void push(key.value.trim(), text.value);
        }}
      >
        <label>
          <span>
            Entry <span class="muted">(empty: the default entry)</span>
          </span>
          <input
            class="input"
            value={key.value}
            maxLength={128}
            pattern="[A-Za-z0-9._:\-]*"
            title="letters, digits, dot, underscore, colon and hyphen"
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => (key.value = event.currentTarget.value)}
          />
        </label>
        <label>
          Text
          <textarea
            class="input"
            dir="auto"
            rows={8}
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
          />
        </label>
        {bytes > MAX_BYTES && (
          <p class="fault">An entry has at most 256 KiB; this one has {Math.ceil(bytes / 1024)}.</p>
        )}
        <div class="buttons">
          <button
            type="button"
            class="button"
            disabled={busy.value}
            onClick={() => void push(key.value.trim(), "")}
          >
            Remove the entry
          </button>
          <button
            type="submit"
            class="button primary"
            disabled={busy.value || text.value === "" || bytes > MAX_BYTES}
          >
            Set the entry
          </button>
        </div>
      </form>
      {problem.value !== undefined && <ProblemNotice problem={problem.value} />}
      {result.value !== undefined && (
        <Notice kind={result.value.applied ? "good" : "warn"}>
          {result.value.text},{" "}
          {result.value.applied ? "and the agent has it." : "and the agent does not have it yet: "}
          <bdi>{visible(result.value.reason)}</bdi>
        </Notice>
      )}
      <Entries
        agentId={agentId}
        onRemove={(name) => void push(name, "")}
        onEdit={(name) => (key.value = name)}
      />
    </main>
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
