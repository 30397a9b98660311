import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { isComposing } from "../ui/composing.ts";
import { limits } from "@valinor/protocol/rules";

/** Drafts by conversation, for as long as the page lives. */
const drafts = new Map<string, string>();

/** The box that a message is written in. Enter sends, Shift+Enter begins a line. */
export function Composer(props: {
  readonly conversationId: string;
  readonly onSend: (text: string) => void;
  readonly onEscape: () => void;
}) {
  const { conversationId, onSend, onEscape } = props;
  const text = useDraft(conversationId);
  const box = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    // A phone's keyboard would cover what is to be read first.
    if (matchMedia("(pointer: fine)").matches) box.current?.focus();
  }, [conversationId]);
  const tooLong = new TextEncoder().encode(text.value).length > limits.contentBytes;
  const submit = () => {
    if (text.value.trim() === "" || tooLong) return;
    onSend(text.value);
    text.value = "";
    box.current?.focus();
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <textarea
        ref={box}
        class="input"
        dir="auto"
        rows={2}
        aria-label="Message"
        aria-describedby="composer-help"
        placeholder="Message"
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          // While an input method composes, Enter belongs to it.
          if (isComposing(event)) return;
          if (event.key === "Escape") onEscape();
          if (event.key !== "Enter" || event.shiftKey) return;
          event.preventDefault();
          submit();
        }}
      />
      <button type="submit" class="button primary" disabled={text.value.trim() === "" || tooLong}>
        Send
      </button>
      <p id="composer-help" class="muted hint">
        {tooLong
          ? "A message has at most 1 MiB."
          : "Enter sends, Shift+Enter begins a line, Escape cancels the answer."}
      </p>
    </form>
  );
}

/** The draft of a conversation, which is kept whenever it changes. */
function useDraft(conversationId: string): Signal<string> {
  const text = useSignal(drafts.get(conversationId) ?? "");
  useEffect(() => {
    text.value = drafts.get(conversationId) ?? "";
    return text.subscribe((draft) => {
      if (draft === "") drafts.delete(conversationId);
      else drafts.set(conversationId, draft);
    });
  }, [conversationId]);
  return text;
}
