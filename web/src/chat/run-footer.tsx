import { streamsAtOnce } from "../protocol.ts";
import type { Problem } from "../problem.ts";
import { ProblemNotice } from "../ui/notice.tsx";
import { hasEnded, isActive, type Run } from "./run.ts";
import { cancel, send, tryAgain } from "./store.ts";

/** How a run is doing, and what can be done about it. */
export function RunFooter({ run }: { readonly run: Run }) {
  return (
    <footer class="run-foot">
      {run.shortened && <p class="muted">Only the beginning of this answer was kept over a reload.</p>}
      {run.state === "blocked" && run.problem !== undefined && <BlockedCard problem={run.problem} />}
      {run.problem !== undefined && showsProblem(run) && (
        <ProblemNotice problem={run.problem}>
          <Remedies run={run} problem={run.problem} />
        </ProblemNotice>
      )}
      <p class="run-state muted">
        <span>{stateText(run)}</span>
        {isActive(run) && (
          <button type="button" class="button quiet" onClick={() => void cancel(run)}>
            Cancel
          </button>
        )}
      </p>
    </footer>
  );
}

function BlockedCard({ problem }: { readonly problem: Problem }) {
  return (
    <section class="card blocked" role="alert" aria-label="Tool blocked">
      <h4>Tool blocked</h4>
      <p>
        <bdi>{problem.text}</bdi>
      </p>
      <p class="muted">{problem.advice}</p>
    </section>
  );
}

function Remedies({ run, problem }: { readonly run: Run; readonly problem: Problem }) {
  const stale = problem.reason === "CONFIG_REJECTED" || problem.reason === "CONFIG_PENDING";
  if (hasEnded(run)) {
    return (
      <button
        type="button"
        class="button"
        onClick={() => void send(run.agentId, run.conversationId, run.message)}
      >
        Send again as a new message
      </button>
    );
  }
  return (
    <>
      <button type="button" class="button" onClick={() => tryAgain(run)}>
        Retry
      </button>
      {stale && (
        <button type="button" class="button" onClick={() => tryAgain(run, { allowStaleConfig: true })}>
          Answer with the configuration in force
        </button>
      )}
      <button type="button" class="button" onClick={() => void cancel(run)}>
        Cancel the run
      </button>
    </>
  );
}

function showsProblem(run: Run): boolean {
  return run.state === "failed" || run.state === "interrupted";
}

function stateText(run: Run): string {
  switch (run.state) {
    case "waiting":
      return `Waiting: ${streamsAtOnce} answers at once over this connection`;
    case "sending":
      return run.problem === undefined ? "Sending..." : `Trying again: ${run.problem.reason}`;
    case "resuming":
      return run.problem === undefined ? "Resuming..." : `Resuming: ${run.problem.reason}`;
    case "streaming":
      return run.problem === undefined ? "Answering..." : `Answering; not cancelled: ${run.problem.reason}`;
    case "interrupted":
      return "Not read to its end: the run may go on in the agent.";
    case "done":
      return doneText(run);
    case "cancelled":
      return "Cancelled";
    case "blocked":
      return "Ended: a tool was blocked";
    case "failed":
      return "Failed";
  }
}

function doneText(run: Run): string {
  const tokens = run.tokens > 0 ? `, ${run.tokens} tokens` : "";
  const reason =
    run.finishReason === "" || run.finishReason === "stop"
      ? "Done"
      : `Done: ${run.finishReason.slice(0, 40)}`;
  return reason + tokens;
}
