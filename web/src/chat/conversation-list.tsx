import { useSignal } from "@preact/signals";
import { moment } from "../clock.ts";
import { Confirm, Dialog } from "../ui/dialog.tsx";
import {
  beginConversation,
  type Conversation,
  conversationsOf,
  forgetConversation,
  renameConversation,
} from "./conversations.ts";
import { isActive } from "./run.ts";
import { forgetRuns, runs, versionOf } from "./store.ts";

/** The conversations of an agent; on a phone a row to choose from. */
export function ConversationList(props: {
  readonly agentId: string;
  readonly current: string;
  readonly onChoose: (id: string) => void;
}) {
  const { agentId, current, onChoose } = props;
  const renaming = useSignal<Conversation | undefined>(undefined);
  const forgetting = useSignal<Conversation | undefined>(undefined);
  const list = conversationsOf(agentId).value;
  const entry = list.find(({ id }) => id === current);
  return (
    <nav class="conversations" aria-label="Conversations">
      <Tools
        disabled={entry === undefined}
        onBegin={() => onChoose(beginConversation(agentId))}
        onRename={() => (renaming.value = entry)}
        onForget={() => (forgetting.value = entry)}
      />
      <ul>
        {list.map((conversation) => (
          <li key={conversation.id}>
            <button
              type="button"
              class="conversation"
              aria-current={conversation.id === current}
              title={`begun ${moment(conversation.begunAt)}`}
              onClick={() => onChoose(conversation.id)}
            >
              <bdi>{conversation.name}</bdi>
              <Activity agentId={agentId} conversationId={conversation.id} />
            </button>
          </li>
        ))}
      </ul>
      {renaming.value !== undefined && (
        <Rename
          agentId={agentId}
          conversation={renaming.value}
          onClose={() => (renaming.value = undefined)}
        />
      )}
      {forgetting.value !== undefined && (
        <Forget
          agentId={agentId}
          conversation={forgetting.value}
          onClose={() => (forgetting.value = undefined)}
        />
      )}
    </nav>
  );
}

/** What can be done with conversations; `disabled` if none is open. */
function Tools(props: {
  readonly disabled: boolean;
  readonly onBegin: () => void;
  readonly onRename: () => void;
  readonly onForget: () => void;
}) {
  const { disabled, onBegin, onRename, onForget } = props;
  return (
    <div class="conversations-tools">
      <button type="button" class="button" onClick={onBegin}>
        New conversation
      </button>
      <button type="button" class="button quiet" disabled={disabled} onClick={onRename}>
        Rename
      </button>
      <button type="button" class="button quiet" disabled={disabled} onClick={onForget}>
        Forget
      </button>
    </div>
  );
}

function Forget(props: {
  readonly agentId: string;
  readonly conversation: Conversation;
  readonly onClose: () => void;
}) {
  const { agentId, conversation, onClose } = props;
  return (
    <Confirm
      title="Forget this conversation?"
      action="Forget it"
      danger
      onClose={onClose}
      onConfirm={() => {
        onClose();
        forgetRuns(agentId, conversation.id);
        forgetConversation(agentId, conversation.id);
      }}
    >
      <p>It leaves this browser. The agent keeps what it remembers of it.</p>
    </Confirm>
  );
}

/** How many answers of a conversation are under way. */
function Activity({
  agentId,
  conversationId,
}: {
  readonly agentId: string;
  readonly conversationId: string;
}) {
  const active = runs.value.filter((run) => {
    if (run.agentId !== agentId || run.conversationId !== conversationId) return false;
    void versionOf(run).value;
    return isActive(run);
  }).length;
  return active === 0 ? null : <span class="count">{active} answering</span>;
}

function Rename(props: {
  readonly agentId: string;
  readonly conversation: Conversation;
  readonly onClose: () => void;
}) {
  const { agentId, conversation, onClose } = props;
  return (
    <Dialog title="Rename the conversation" onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          const name = new FormData(event.currentTarget).get("name");
          renameConversation(agentId, conversation.id, typeof name === "string" ? name : "");
          onClose();
        }}
      >
        <label>
          <span>
            Name <span class="muted">(kept in this browser)</span>
          </span>
          <input
            class="input"
            dir="auto"
            name="name"
            maxLength={80}
            defaultValue={conversation.name}
            autocomplete="off"
          />
        </label>
        <div class="buttons">
          <button type="submit" class="button primary">
            Rename
          </button>
        </div>
      </form>
    </Dialog>
  );
}
