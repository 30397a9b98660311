import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { RunView } from "./answer.tsx";
import { Composer } from "./composer.tsx";
import { ConversationList } from "./conversation-list.tsx";
import { conversationsOf } from "./conversations.ts";
import { isActive, type Run } from "./run.ts";
import { cancel, runs, send } from "./store.ts";

/** Conversation that was last looked at, by agent. */
const lastOpen = new Map<string, string>();

/** An agent's conversations, and the one that is open. */
export function Chat({ agentId }: { readonly agentId: string }) {
  const list = conversationsOf(agentId);
  const chosen = useSignal(lastOpen.get(agentId) ?? "");
  const current = list.value.find(({ id }) => id === chosen.value)?.id ?? list.value[0]?.id ?? "";
  const shown = runs.value.filter((run) => run.agentId === agentId && run.conversationId === current);
  const choose = (id: string) => {
    lastOpen.set(agentId, id);
    chosen.value = id;
  };
  return (
    <main class="chat">
      <ConversationList agentId={agentId} current={current} onChoose={choose} />
      <section class="thread" aria-label="Conversation">
        <Transcript key={current} shown={shown} />
        <Composer
          conversationId={current}
          onSend={(text) => void send(agentId, current, text)}
          onEscape={() => cancelLatest(shown)}
        />
      </section>
    </main>
  );
}

/** Escape ends the answer that was asked for last. */
function cancelLatest(shown: readonly Run[]): void {
  const run = shown.findLast(isActive);
  if (run !== undefined) void cancel(run);
}

/** The messages and answers, held at the end while one reads there. */
function Transcript({ shown }: { readonly shown: readonly Run[] }) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const toEnd = () => {
    const box = scroller.current;
    if (box !== null && atEnd.current) box.scrollTop = box.scrollHeight;
  };
  useEffect(() => {
    if (content.current === null) return;
    const observer = new ResizeObserver(toEnd);
    observer.observe(content.current);
    return () => observer.disconnect();
  }, []);
  useEffect(() => {
    atEnd.current = true;
    toEnd();
  }, [shown.length]);
  return (
    <div
      ref={scroller}
      class="transcript"
      // A region that scrolls is reached by the keyboard.
      tabIndex={0}
      role="log"
      aria-live="polite"
      aria-label="Messages"
      onScroll={(event) => {
        const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
        atEnd.current = scrollHeight - scrollTop - clientHeight < 40;
      }}
    >
      <div ref={content} class="transcript-body">
        {shown.length === 0 && (
          <p class="empty muted">Nothing was said yet in this tab. Write the first message.</p>
        )}
        {shown.map((run) => (
          <RunView key={run.requestId} run={run} />
        ))}
      </div>
    </div>
  );
}
