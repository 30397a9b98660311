import { type Signal, useSignal } from "@preact/signals";
import { limits, NAME_PATTERN } from "@valinor/protocol/rules";

/** Where an entry is written: its name, which others may set too, and its text. An empty text is pushed to remove the entry. */
export function EntryForm(props: {
  readonly name: Signal<string>;
  readonly busy: boolean;
  readonly onPush: (name: string, text: string) => void;
}) {
  const { name, busy, onPush } = props;
  const text = useSignal("");
  const bytes = new TextEncoder().encode(text.value).length;
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        onPush(name.value.trim(), text.value);
      }}
    >
      <NameField name={name} />
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
      {bytes > limits.contextEntryBytes && (
        <p class="fault">An entry has at most 256 KiB; this one has {Math.ceil(bytes / 1024)}.</p>
      )}
      <div class="buttons">
        <button type="button" class="button" disabled={busy} onClick={() => onPush(name.value.trim(), "")}>
          Remove the entry
        </button>
        <button
          type="submit"
          class="button primary"
          disabled={busy || text.value === "" || bytes > limits.contextEntryBytes}
        >
          Set the entry
        </button>
      </div>
    </form>
  );
}

function NameField({ name }: { readonly name: Signal<string> }) {
  return (
    <label>
      <span>
        Entry <span class="muted">(empty: the default entry)</span>
      </span>
      <input
        class="input"
        value={name.value}
        maxLength={128}
        pattern={NAME_PATTERN}
        title="letters, digits, dot, underscore, colon and hyphen"
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => (name.value = event.currentTarget.value)}
      />
    </label>
  );
}
