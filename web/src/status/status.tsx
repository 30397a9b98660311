import { useComputed, useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import type { GetAgentStatusResponse } from "@valinor/proto/valinor/v1/agent_proxy";
import { configLabel, openclawLabel, statusLabel } from "../agents/labels.ts";
import { agents } from "../agents/watch.ts";
import { client } from "../api.ts";
import { now, span } from "../clock.ts";
import { type Problem, readProblem } from "../problem.ts";
import { Badge, ProblemNotice } from "../ui/notice.tsx";
import { visible } from "../visible.ts";
import { MachineForm } from "./machine.tsx";

/** Milliseconds between two questions while the tab is open; changes that the watch tells are asked for at once. */
const REFRESH_MS = 5_000;

interface Reading {
  readonly status: GetAgentStatusResponse;
  /** When it was read, as `performance.now()` says. */
  readonly at: number;
}

/** Everything that is known of an agent. */
export function Status({ agentId }: { readonly agentId: string }) {
  const reading = useSignal<Reading | undefined>(undefined);
  const problem = useSignal<Problem | undefined>(undefined);
  // Another value whenever the watch told of this very agent: a reason to ask at once.
  const told = useComputed(() => agents.value.find(({ id }) => id === agentId)).value;
  useEffect(() => {
    const controller = new AbortController();
    let asking = false;
    const ask = async () => {
      if (asking || document.hidden) return;
      asking = true;
      try {
        const status = await client.status(agentId, { signal: controller.signal });
        reading.value = { status, at: performance.now() };
        problem.value = undefined;
      } catch (thrown) {
        if (!controller.signal.aborted) problem.value = readProblem(thrown);
      } finally {
        asking = false;
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), REFRESH_MS);
    return () => {
      clearInterval(timer);
      controller.abort(new Error("left"));
    };
  }, [agentId, told]);
  return (
    <main class="page">
      <h2>Status</h2>
      {problem.value !== undefined && <ProblemNotice problem={problem.value} />}
      {reading.value !== undefined && <Facts reading={reading.value} />}
      <MachineForm agentId={agentId} />
    </main>
  );
}

function Facts({ reading }: { readonly reading: Reading }) {
  const { status, at } = reading;
  const machine = statusLabel(status.status);
  const config = configLabel(status.configState);
  const openclaw = openclawLabel(status.openclaw);
  return (
    <dl class="facts">
      <Fact name="Machine">
        <Badge kind={machine.kind}>{machine.text}</Badge>
      </Fact>
      <Fact name="Link">
        <Badge kind={status.connected ? "good" : "bad"}>{status.connected ? "connected" : "no link"}</Badge>
      </Fact>
      {status.lastError !== "" && <Fact name="Why there is no link">{visible(status.lastError)}</Fact>}
      <Fact name="Last heartbeat">{heartbeat(status, at)}</Fact>
      <Fact name="Agent says">{visible(status.guestStatus) || "nothing yet"}</Fact>
      <Fact name="In flight">{status.inFlight}</Fact>
      <Fact name="OpenClaw">
        <Badge kind={openclaw.kind}>{openclaw.text}</Badge>
        {status.openclawKind === "plain" && <span class="muted"> an ordinary server of OpenAI's API</span>}
        {status.openclawKindReason !== "" && (
          <span class="muted"> ({visible(status.openclawKindReason)})</span>
        )}
      </Fact>
      <Fact name="Configuration">
        <Badge kind={config.kind}>{config.text}</Badge>
      </Fact>
      <Fact name="Revision desired">{status.desiredRevision}</Fact>
      <Fact name="Revision observed">{status.observedRevision === 0 ? "none" : status.observedRevision}</Fact>
      {status.configReason !== "" && <Fact name="Why it is not applied">{visible(status.configReason)}</Fact>}
      <Fact name="Agent version">{visible(status.agentVersion) || "not known"}</Fact>
      <Fact name="Protocol">{status.protocol === 0 ? "never reached" : status.protocol}</Fact>
      <Fact name="Boot">
        <code>{visible(status.bootId) || "not known"}</code>
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The age is counted here from when it was told: the machines' clocks need not agree. */
function heartbeat(status: GetAgentStatusResponse, at: number): string {
  if (status.heartbeatAgeSecs === undefined) return "never";
  return `${span(status.heartbeatAgeSecs + Math.max(0, now.value - at) / 1000)} ago`;
}
