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
          <li key={revision.revision} class="revision" data-revision={revision.revision}>
            <p class="revision-head">
              <strong>Revision {revision.revision}</strong> <Outcome revision={revision} newest={newest} />
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
              {index + 1 < revisions.length && (
                <button
                  type="button"
                  class="button quiet"
                  onClick={() => onCompare(revisions[index + 1]?.revision ?? 0, revision.revision)}
                >
                  Compare with {revisions[index + 1]?.revision}
                </button>
              )}
              {revision.revision !== newest && (
                <button
                  type="button"
                  class="button quiet"
                  disabled={configOf(agentId).busy.value}
                  onClick={() => (asking.value = revision.revision)}
                >
                  Roll back to {revision.revision}
                </button>
              )}
            </div>
          </li>
        ))}
      </ol>
      {asking.value !== undefined && (
        <Confirm
          title={`Roll back to revision ${asking.value}?`}
          action="Roll back"
          onClose={() => (asking.value = undefined)}
          onConfirm={() => {
            const revision = asking.value;
            asking.value = undefined;
            if (revision !== undefined) void rollBack(agentId, revision);
          }}
        >
          <p>
            Its content becomes revision {newest + 1} and is pushed to the agent. Revision {newest} stays in
            this list.
          </p>
        </Confirm>
      )}
    </>
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
