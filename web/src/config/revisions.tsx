import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";
import { useSignal } from "@preact/signals";
import { ConfigOutcome, type ConfigRevision } from "@valinor/proto/valinor/v1/agent_registry";
import { moment } from "../clock.ts";
import { Confirm } from "../ui/dialog.tsx";
import { Badge } from "../ui/notice.tsx";
import { visible } from "../visible.ts";
import { configOf, rollBack } from "./store.ts";

/** The configurations that an agent has had, the newest first. */
export function Revisions(props: {
  readonly agentId: string;
  readonly revisions: readonly ConfigRevision[];
  readonly onCompare: (from: number, to: number) => void;
}) {
  const { agentId, revisions, onCompare } = props;
  const asking = useSignal<number | undefined>(undefined);
  const newest = revisions[0]?.revision ?? 0;
  return (
    <>
      <ol class="revisions plain" tabIndex={0} aria-label="Revisions, the newest first">
        {revisions.map((revision, index) => (
          <Revision
            key={revision.revision}
            revision={revision}
            before={revisions[index + 1]?.revision}
            newest={newest}
            busy={configOf(agentId).busy.value}
            onCompare={onCompare}
            onRollBack={(number) => (asking.value = number)}
          />
        ))}
      </ol>
      {asking.value !== undefined && (
        <ConfirmRollback
          revision={asking.value}
          newest={newest}
          onClose={() => (asking.value = undefined)}
          onConfirm={(revision) => {
            asking.value = undefined;
            void rollBack(agentId, revision);
          }}
        />
      )}
    </>
  );
}

/** One revision, and what can be done with it. */
function Revision(props: {
  readonly revision: ConfigRevision;
  /** Number of the revision before it, if that is kept. */
  readonly before: number | undefined;
  readonly newest: number;
  readonly busy: boolean;
  readonly onCompare: (from: number, to: number) => void;
  readonly onRollBack: (revision: number) => void;
}) {
  const { revision, before, newest, busy, onCompare, onRollBack } = props;
  const number = revision.revision;
  return (
    <li class="revision" data-revision={number}>
      <p class="revision-head">
        <strong>Revision {number}</strong> <Outcome revision={revision} newest={newest} />
      </p>
      <p class="muted">
        <bdi>{visible(revision.author) || "nobody"}</bdi>, {time(revision.createTime)}
        {revision.rollbackOf > 0 && `, a copy of revision ${revision.rollbackOf}`}
      </p>
      {revision.outcomeReason !== "" && (
        <p class="fault">
          <bdi>{visible(revision.outcomeReason)}</bdi>
        </p>
      )}
      <Paths paths={revision.changedPaths} />
      <div class="buttons start">
        {before !== undefined && (
          <button type="button" class="button quiet" onClick={() => onCompare(before, number)}>
            Compare with {before}
          </button>
        )}
        {number !== newest && (
          <button type="button" class="button quiet" disabled={busy} onClick={() => onRollBack(number)}>
            Roll back to {number}
          </button>
        )}
      </div>
    </li>
  );
}

function ConfirmRollback(props: {
  readonly revision: number;
  readonly newest: number;
  readonly onConfirm: (revision: number) => void;
  readonly onClose: () => void;
}) {
  const { revision, newest, onConfirm, onClose } = props;
  return (
    <Confirm
      title={`Roll back to revision ${revision}?`}
      action="Roll back"
      onClose={onClose}
      onConfirm={() => onConfirm(revision)}
    >
      <p>
        Its content becomes revision {newest + 1} and is pushed to the agent. Revision {newest} stays in this
        list.
      </p>
    </Confirm>
  );
}

function Outcome({ revision, newest }: { readonly revision: ConfigRevision; readonly newest: number }) {
  if (revision.outcome === ConfigOutcome.APPLIED) return <Badge kind="good">applied</Badge>;
  if (revision.outcome === ConfigOutcome.REFUSED) return <Badge kind="bad">refused</Badge>;
  return revision.revision === newest ? (
    <Badge kind="warn">pending</Badge>
  ) : (
    <Badge kind="idle">never reached the agent</Badge>
  );
}

function Paths({ paths }: { readonly paths: readonly string[] }) {
  if (paths.length === 0) return null;
  return (
    <p class="paths">
      {paths.slice(0, 8).map((path) => (
        <code key={path}>{visible(path)}</code>
      ))}
      {paths.length > 8 && <span class="muted">and {paths.length - 8} more</span>}
    </p>
  );
}

function time(timestamp: Timestamp | undefined): string {
  return timestamp === undefined ? "at a time not known" : moment(timestampMs(timestamp));
}
