import { useSignal } from "@preact/signals";
import { visible } from "../visible.ts";
import { DiffView } from "./diff-view.tsx";
import { draftText, revisionText } from "./draft.ts";
import { checkJson } from "./json-check.ts";
import { configOf, pushDraft, takeNewest } from "./store.ts";

/** Said if somebody else was faster: shows the difference, and lets the reader decide which text is kept. */
export function Conflict({ agentId }: { readonly agentId: string }) {
  const { revisions, draft, busy } = configOf(agentId);
  const showing = useSignal(false);
  const [newest] = revisions.value;
  const mine = draft.value;
  if (newest === undefined || mine === undefined) return null;
  const checked = checkJson(mine.config);
  return (
    <div class="notice warn conflict" role="alert">
      <p>
        <strong>Revision {newest.revision}</strong> was pushed by <bdi>{visible(newest.author)}</bdi> after
        you began from revision {mine.baseRevision}. Nothing of yours was pushed.
      </p>
      <div class="buttons">
        <button
          type="button"
          class="button"
          aria-expanded={showing.value}
          onClick={() => (showing.value = !showing.value)}
        >
          {showing.value ? "Hide the difference" : "Show the difference"}
        </button>
        <button type="button" class="button" onClick={() => takeNewest(agentId)}>
          Take theirs
        </button>
        <button
          type="button"
          class="button danger"
          disabled={!checked.ok || busy.value}
          onClick={() => void pushDraft(agentId, newest.revision)}
        >
          Push mine over it
        </button>
      </div>
      {showing.value && checked.ok && (
        <DiffView
          before={revisionText(newest)}
          after={draftText(mine, checked.value)}
          label={`revision ${newest.revision}, and yours`}
        />
      )}
    </div>
  );
}
