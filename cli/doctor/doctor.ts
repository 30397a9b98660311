import { setTimeout as sleep } from "node:timers/promises";
import { ValinorError } from "@valinor/client";
import { ConfigState } from "@valinor/proto/valinor/v1/types";
import type { Environment } from "../terminal/environment.ts";
import { adviceFor } from "../client/errors/advice.ts";
import { allAgents } from "../client/agents/agents.ts";
import { explainFault } from "../client/errors/connect-errors.ts";
import { judgeAgent } from "./agent.ts";
import { type Check, createReport, type Report } from "./checks.ts";
import { checkConfig, checkProgram, checkStore, checkVsock, urlOf } from "./local.ts";
import { isReady, type Probe, probeServer } from "./probe.ts";
import { cell, type OutputForm } from "../client/output.ts";
import { type ServerOptions, type Session, type Target, withServer } from "../client/session.ts";
import { isLoopback } from "@valinor/protocol";

/** A configuration that was just pushed has this long to be applied before it counts as pending. */
const SETTLE_MS = 1_500;

/** Flags of `valinor doctor`. */
export interface DoctorOptions extends ServerOptions {
  /** The server's configuration file: what it names is looked at on this machine. */
  readonly config?: string;
  /** Longest wait for an answer, in seconds. */
  readonly timeout: number;
  readonly output?: OutputForm;
}

/**
 * Looks for what is wrong, from this machine to the agents, and says what to do about it. Rejects with CliError, exit code 1, if
 * something failed.
 */
export async function doctor(
  agent: string | undefined,
  options: DoctorOptions,
  env: Environment,
): Promise<void> {
  const ms = options.timeout * 1000;
  const report = createReport(options.output);
  report.add(checkProgram());
  const { config, check } = checkConfig(options.config, env);
  if (check !== undefined) report.add(check);
  if (config !== undefined) {
    const vsock = checkVsock(config);
    if (vsock !== undefined) report.add(vsock);
    report.add(await checkStore(config.store, ms));
  }
  const named = options.server ?? (env["VALINOR_SERVER"] || undefined) ?? (config && urlOf(config));
  await withServer(named === undefined ? options : { ...options, server: named }, env, async (session) => {
    await checkServer(session, agent, ms, report);
  });
  report.end();
}

async function checkServer(
  session: Session,
  agent: string | undefined,
  ms: number,
  report: Report,
): Promise<void> {
  const { target } = session;
  const probe = await probeServer(target, ms);
  if (probe.kind !== "valinor") return report.add(judgeProbe(probe, target));
  const ready = await isReady(target, ms);
  const detail = `${target.url.origin} answers`;
  report.add(
    ready
      ? { name: "server", state: "ok", detail }
      : {
          name: "server",
          state: "fail",
          detail: `${detail}, and is stopping`,
          hint: "Wait until it is up again.",
        },
  );
  const exposed = checkExposure(target);
  if (exposed !== undefined) report.add(exposed);
  const timed = { ...session, call: { signal: session.signal, timeoutMs: ms } };
  try {
    const ids = agent === undefined ? (await allAgents(timed)).map(({ id }) => id) : [agent];
    if (agent !== undefined) await timed.client.status(agent, timed.call);
    report.add({ name: "credentials", state: "ok", detail: credentialText(target) });
    if (ids.length === 0) report.add(noAgents);
    for (const id of ids) await checkAgent(timed, id, report);
  } catch (error) {
    if (!(error instanceof ValinorError) || session.signal.aborted) throw error;
    report.add(judgeError(error, agent, target));
  }
}

const noAgents: Check = {
  name: "agents",
  state: "warn",
  detail: "there are no agents",
  hint: "Add one: valinor agents create ID --address ADDRESS.",
};

async function checkAgent(session: Session, agentId: string, report: Report): Promise<void> {
  const look = () => session.client.status(agentId, session.call);
  let known = await look();
  if (known.connected && known.configState === ConfigState.PENDING) {
    await sleep(SETTLE_MS, undefined, { signal: session.signal }).catch(() =>
      session.signal.throwIfAborted(),
    );
    known = await look();
  }
  for (const check of judgeAgent(agentId, known)) report.add(check);
}

function judgeProbe(probe: Exclude<Probe, { kind: "valinor" }>, { url }: Target): Check {
  const name = "server";
  const taken = `port ${url.port || (url.protocol === "https:" ? "443" : "80")} of ${url.hostname} is taken by another program`;
  switch (probe.kind) {
    case "needs_tls":
      return {
        name,
        state: "fail",
        detail: `${url.origin} speaks TLS, and was called without`,
        hint: `Name it with https://: --server https://${url.host}`,
      };
    case "other":
      return {
        name,
        state: "fail",
        detail: `${taken}, which answers /healthz with ${probe.answer}`,
        hint:
          probe.status === 403 || probe.status === 421
            ? "If it is Valinor, list this name in server.allowed_hosts; otherwise check --server."
            : "Stop that program or give Valinor another port (server.port), and check --server.",
      };
    case "fault": {
      const { what, hint } = explainFault(probe.fault, probe.code, url);
      if (probe.fault === "not_http" || probe.fault === "timeout" || probe.fault === "reset") {
        const detail =
          probe.fault === "not_http"
            ? `${taken}, which does not speak HTTP`
            : `${url.origin} gives no answer of Valinor's: ${what}`;
        return { name, state: "fail", detail, hint: probe.fault === "timeout" ? stuck : hint };
      }
      return { name, state: "fail", detail: `${url.origin} is not reachable: ${what}`, hint };
    }
  }
}

const stuck =
  "Another program may have the port and say nothing, a firewall may drop what is sent, or the server hangs.";

/** A credential that leaves this machine in the open. */
function checkExposure({ url, credential }: Target): Check | undefined {
  const isLocal = isLoopback(url.hostname);
  if (credential === undefined || url.protocol === "https:" || isLocal) return undefined;
  return {
    name: "transport",
    state: "warn",
    detail: `the credential goes to ${url.hostname} unencrypted`,
    hint: "Use https://, or a tunnel.",
  };
}

function credentialText({ credential }: Target): string {
  return credential === undefined ? "the server asks for none" : "VALINOR_API_KEY is good";
}

function judgeError(error: ValinorError, agent: string | undefined, { credential }: Target): Check {
  const { reason, message } = error;
  const detail = cell(`${message} (${reason})`);
  const hint = adviceFor(reason);
  const rest = { state: "fail", detail, ...(hint === undefined ? {} : { hint }) } as const;
  if (reason === "UNAUTHENTICATED" && credential === undefined)
    return {
      ...rest,
      name: "credentials",
      detail: "the server asks for a credential, and VALINOR_API_KEY is not set",
    };
  if (reason === "UNAUTHENTICATED" || reason === "PERMISSION_DENIED") return { ...rest, name: "credentials" };
  return { ...rest, name: agent === undefined ? "agents" : `agent ${agent}` };
}
