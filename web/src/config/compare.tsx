import type { ConfigRevision } from "@valinor/proto/valinor/v1/agent_registry";
import { DiffView } from "./diff-view.tsx";
import { revisionText } from "./draft.ts";

/** The difference between any two revisions. */
export function Compare(props: {
  readonly revisions: readonly ConfigRevision[];
  readonly pair: readonly [number, number];
  readonly onChange: (from: number, to: number) => void;
}) {
  const { revisions, pair, onChange } = props;
  const [from, to] = pair.map((number) => revisions.find(({ revision }) => revision === number));
  return (
    <section id="compare" aria-labelledby="compare-title">
      <h2 id="compare-title">Compare</h2>
      <div class="compare-bar">
        <Choice
          label="From"
          revisions={revisions}
          value={pair[0]}
          onChange={(value) => onChange(value, pair[1])}
        />
        <Choice
          label="To"
          revisions={revisions}
          value={pair[1]}
          onChange={(value) => onChange(pair[0], value)}
        />
      </div>
      {from !== undefined && to !== undefined && (
        <DiffView
          before={revisionText(from)}
          after={revisionText(to)}
          label={`revision ${from.revision} to revision ${to.revision}`}
        />
      )}
    </section>
  );
}

function Choice(props: {
  readonly label: string;
  readonly revisions: readonly ConfigRevision[];
  readonly value: number;
  readonly onChange: (revision: number) => void;
}) {
  return (
    <label class="inline">
      {props.label}
      <select
        class="input"
        value={String(props.value)}
        onChange={(event) => props.onChange(Number(event.currentTarget.value))}
      >
        {props.revisions.map(({ revision }) => (
          <option key={revision} value={String(revision)}>
            revision {revision}
          </option>
        ))}
      </select>
    </label>
  );
}
