import { useMemo } from "preact/hooks";
import { visible } from "../visible.ts";
import { splitFences, type Stretch } from "./fences.ts";
import { isActive, type Part, type Run } from "./run.ts";
import { versionOf } from "./store.ts";
import { RunFooter } from "./run-footer.tsx";

/** A message and its answer. Both are text and stay text: nothing in them is read as markup. */
export function RunView({ run }: { readonly run: Run }) {
  // Reading the version subscribes to it: the run itself changes in place.
  void versionOf(run).value;
  return (
    <article class="run" data-request={run.requestId} data-state={run.state}>
      <div class="message">
        <h3 class="who">You</h3>
        <div class="text" dir="auto">
          {run.message}
        </div>
      </div>
      <div class="answer" aria-busy={isActive(run)}>
        <h3 class="who">
          <bdi>{run.agentId}</bdi>
        </h3>
        <div class="parts">
          {fenced(run.parts).map((piece, index) =>
            piece.kind === "tool" ? (
              <ToolCard key={index} part={piece} />
            ) : (
              <TextPart key={index} text={piece.text} open={piece.open} />
            ),
          )}
          {isActive(run) && run.parts.length === 0 && <span class="cursor" aria-hidden="true" />}
        </div>
        <RunFooter run={run} />
      </div>
    </article>
  );
}

type Piece = (Part & { kind: "tool" }) | { kind: "text"; text: string; open: string };

/** The fence that each text part begins within. Closed parts are looked at once. */
function fenced(parts: readonly Part[]): Piece[] {
  let open = "";
  return parts.map((part) => {
    if (part.kind === "tool") return part;
    const piece = { kind: "text" as const, text: part.text, open };
    open = stretchesOf(part, open).open;
    return piece;
  });
}

const cache = new WeakMap<Part, { text: string; from: string; open: string; stretches: Stretch[] }>();

function stretchesOf(part: Part & { kind: "text" }, from: string): { open: string; stretches: Stretch[] } {
  const known = cache.get(part);
  if (known !== undefined && known.text === part.text && known.from === from) return known;
  const found = { text: part.text, from, ...splitFences(part.text, from) };
  cache.set(part, found);
  return found;
}

/** The same element as before if the text is the same, so that what is drawn is not drawn again. */
function TextPart({ text, open }: { readonly text: string; readonly open: string }) {
  return useMemo(
    () => (
      <div class="part">
        {splitFences(text, open).stretches.map((stretch, index) =>
          stretch.code ? (
            <pre key={index} class="code" tabIndex={0} aria-label="Code">
              {stretch.text}
            </pre>
          ) : (
            <div key={index} class="text" dir="auto">
              {stretch.text}
            </div>
          ),
        )}
      </div>
    ),
    [text, open],
  );
}

function ToolCard({ part }: { readonly part: Part & { kind: "tool" } }) {
  return (
    <section class="card tool" aria-label={`Tool call ${visible(part.name)}`}>
      <h4>
        Tool call <code>{visible(part.name)}</code>
      </h4>
      <pre class="code" tabIndex={0} aria-label="Arguments">
        {visible(pretty(part.args))}
      </pre>
    </section>
  );
}

function pretty(args: string): string {
  try {
    return JSON.stringify(JSON.parse(args), null, 2);
  } catch {
    return args; // a model may write arguments that are no JSON: they are shown as they are
  }
}
