import type { ComponentChildren } from "preact";
import type { Problem } from "../problem.ts";

/** A problem in readable form: what happened, what to do, and the reason to look up. */
export function ProblemNotice(props: { readonly problem: Problem; readonly children?: ComponentChildren }) {
  const { reason, text, advice } = props.problem;
  return (
    <div class="notice bad" role="alert">
      <p>
        <strong class="reason">{reason}</strong> <bdi>{text}</bdi>
      </p>
      {advice !== "" && <p class="muted">{advice}</p>}
      {props.children !== undefined && <div class="buttons">{props.children}</div>}
    </div>
  );
}

/** Something to know. */
export function Notice(props: {
  readonly kind: "info" | "good" | "warn";
  readonly children: ComponentChildren;
}) {
  return (
    <div class={`notice ${props.kind}`} role="status">
      {props.children}
    </div>
  );
}

/** A word with a coloured dot; the colour says nothing that the word does not. */
export function Badge(props: {
  readonly kind: "good" | "warn" | "bad" | "idle";
  readonly children: ComponentChildren;
}) {
  return (
    <span class={`badge ${props.kind}`}>
      <span class="dot" aria-hidden="true" />
      {props.children}
    </span>
  );
}
