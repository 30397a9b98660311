import { isComposing } from "../ui/composing.ts";
import { type Draft, draftOf, saysTheSame } from "./draft.ts";
import { checkJson } from "./json-check.ts";
import { configOf, pushDraft, takeNewest } from "./store.ts";

type Change = (fields: Partial<Draft>) => void;

/** Where a configuration and a tool policy are written. */
export function Editor(props: { readonly agentId: string; readonly draft: Draft; readonly newest: number }) {
  const { agentId, draft, newest } = props;
  const { draft: store, busy, revisions } = configOf(agentId);
  const change: Change = (fields) => (store.value = { ...draft, ...fields });
  const checked = checkJson(draft.config);
  const base = revisions.value.find(({ revision }) => revision === draft.baseRevision);
  const unchanged = base !== undefined && saysTheSame(draft, draftOf(base));
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (checked.ok && !busy.value) void pushDraft(agentId);
      }}
    >
      <JsonField draft={draft} isGood={checked.ok} change={change} />
      <p id="config-fault" class="fault" role="status">
        {checked.ok ? "" : `Line ${checked.line}, column ${checked.column}: ${checked.message}`}
      </p>
      <PolicyFields draft={draft} change={change} />
      <p id="config-hint" class="muted hint">
        A text that begins with <code>secret:</code> is kept encrypted and is read back by nobody: it shows as{" "}
        <code>secret:[redacted]</code>, and stays the same if that is pushed again. Ctrl+Enter pushes.
      </p>
      <div class="buttons">
        <button
          type="button"
          class="button"
          disabled={unchanged || newest === 0}
          onClick={() => takeNewest(agentId)}
        >
          Discard changes
        </button>
        <button type="submit" class="button primary" disabled={!checked.ok || busy.value}>
          {busy.value ? "Pushing..." : "Push"}
        </button>
      </div>
    </form>
  );
}

function JsonField(props: { readonly draft: Draft; readonly isGood: boolean; readonly change: Change }) {
  const { draft, isGood, change } = props;
  const rows = Math.min(30, Math.max(10, draft.config.split("\n").length + 1));
  return (
    <label>
      <span>
        JSON <span class="muted">from revision {draft.baseRevision}</span>
      </span>
      <textarea
        class="input mono"
        rows={rows}
        spellcheck={false}
        autocomplete="off"
        value={draft.config}
        aria-invalid={!isGood}
        aria-describedby="config-fault config-hint"
        onInput={(event) => change({ config: event.currentTarget.value })}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !isComposing(event) && (event.ctrlKey || event.metaKey))
            event.currentTarget.form?.requestSubmit();
        }}
      />
    </label>
  );
}

function PolicyFields({ draft, change }: { readonly draft: Draft; readonly change: Change }) {
  return (
    <fieldset class="policy">
      <legend>Tools that the agent may use</legend>
      <label class="inline">
        <input
          type="radio"
          name="policy"
          checked={!draft.listed}
          onChange={() => change({ listed: false })}
        />
        every tool
      </label>
      <label class="inline">
        <input type="radio" name="policy" checked={draft.listed} onChange={() => change({ listed: true })} />
        only these (an empty list: no tool)
      </label>
      {draft.listed && (
        <textarea
          class="input mono"
          rows={4}
          spellcheck={false}
          aria-label="Names of tools, one a line"
          placeholder="one name a line"
          value={draft.tools}
          onInput={(event) => change({ tools: event.currentTarget.value })}
        />
      )}
    </fieldset>
  );
}
