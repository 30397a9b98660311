import { useMemo } from "preact/hooks";
import { diffLines, type DiffLine, foldSame } from "./diff.ts";

const marks = { same: " ", removed: "-", added: "+" } as const;
const words = { same: "", removed: "removed: ", added: "added: " } as const;

/** Two texts compared line by line. */
export function DiffView(props: { readonly before: string; readonly after: string; readonly label: string }) {
  const { before, after, label } = props;
  const lines = useMemo(() => diffLines(before, after), [before, after]);
  if (lines.every(({ kind }) => kind === "same"))
    return <p class="muted diff-none">No difference: {label}.</p>;
  return (
    <div class="diff" role="region" aria-label={`Difference, ${label}`} tabIndex={0}>
      {foldSame(lines).map((line, index) =>
        line === undefined ? (
          <div key={index} class="diff-fold">
            ...
          </div>
        ) : (
          <Line key={index} line={line} />
        ),
      )}
    </div>
  );
}

function Line({ line }: { readonly line: DiffLine }) {
  return (
    <div class={`diff-line ${line.kind}`}>
      <span class="diff-mark" aria-hidden="true">
        {marks[line.kind]}
      </span>
      {line.kind !== "same" && <span class="visually-hidden">{words[line.kind]}</span>}
      <span class="diff-text">{line.text}</span>
    </div>
  );
}
