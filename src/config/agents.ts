import { z } from "zod";
import { addressOf, type AddressRules } from "../fleet/address.ts";
import type { AgentState, NewAgent } from "../store/store.ts";
import { formatAddress, parseAddress, errorText, ID_RULE, isAgentId, isTenant } from "@valinor/protocol";
import { addressAllowed } from "./allowed.ts";
import type { ConfigFile } from "./file.ts";

const NAME_RULE = `must be ${ID_RULE}`;
const CID_RULE = "must be a whole number from 3 to 4294967294, or 0 for none";
const STATUS_RULE = "must be provisioning, running, stopped or failed";

const states = {
  provisioning: "PROVISIONING",
  running: "RUNNING",
  stopped: "STOPPED",
  failed: "FAILED",
} as const satisfies Record<string, AgentState>;

const entry = z.strictObject({
  id: z.string(NAME_RULE).refine(isAgentId, NAME_RULE),
  tenant: z.string(NAME_RULE).refine(isTenant, NAME_RULE).default("default"),
  status: z.enum(["provisioning", "running", "stopped", "failed"], STATUS_RULE).default("running"),
  vsock_cid: z
    .number(CID_RULE)
    .int(CID_RULE)
    .max(0xfffffffe, CID_RULE)
    .refine((cid) => cid === 0 || cid >= 3, CID_RULE)
    .default(0),
  address: z.string("must be a text such as tcp://127.0.0.1:9103").transform(normalAddress).optional(),
});

/** One agent of the file, and its place in the list. */
interface Placed {
  readonly agent: NewAgent;
  readonly index: number;
}

/** What the agents of the file must fit. */
export interface AgentRules extends AddressRules {
  readonly allowedAddresses: readonly string[];
}

/** The file's `agents`; what is wrong with them is added to `problems`. */
export function readAgents(file: ConfigFile, rules: AgentRules | undefined, problems: string[]): NewAgent[] {
  const list = file.content["agents"] ?? [];
  if (!Array.isArray(list)) {
    problems.push(`${file.where(["agents"])}: agents must be a list of agents, each with an id`);
    return [];
  }
  const placed = list.flatMap((value: unknown, index) => readAgent(file, value, index, problems));
  refuseDuplicates(file, placed, problems);
  if (rules !== undefined) for (const one of placed) checkAddress(file, one, rules, problems);
  if (rules !== undefined) refuseSharedAddresses(file, placed, rules, problems);
  return placed.map(({ agent }) => agent);
}

function readAgent(file: ConfigFile, value: unknown, index: number, problems: string[]): Placed[] {
  const result = entry.safeParse(value);
  if (!result.success) {
    for (const issue of result.error.issues) problems.push(problemOf(file, index, issue));
    return [];
  }
  const { id, tenant, status, vsock_cid: vsockCid, address = "" } = result.data;
  return [{ agent: { tenant, id, status: states[status], vsockCid, address }, index }];
}

function problemOf(file: ConfigFile, index: number, issue: z.core.$ZodIssue): string {
  const path = issue.path.map((key) => (typeof key === "symbol" ? key.toString() : key));
  const name = [`agents[${index}]`, ...path].join(".");
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    const known = Object.keys(entry.shape).join(", ");
    return `${file.where(["agents", index, key])}: ${name} has unknown keys ${issue.keys.join(", ")}; known are ${known}`;
  }
  const rule = path.length === 0 ? "must be a mapping with an id" : issue.message;
  return `${file.where(["agents", index, ...path])}: ${name} ${rule}`;
}

function refuseDuplicates(file: ConfigFile, placed: readonly Placed[], problems: string[]): void {
  const live = placed.filter(isLive);
  const kinds = [
    { of: placed, text: (agent: NewAgent) => `agent ${agent.tenant}/${agent.id}` },
    { of: live, text: (agent: NewAgent) => (agent.vsockCid === 0 ? "" : `vsock_cid ${agent.vsockCid}`) },
  ];
  for (const kind of kinds) refuseSame(file, kind.of, kind.text, problems);
}

/** Two agents that would be dialled at one place, whether written or derived. */
function refuseSharedAddresses(
  file: ConfigFile,
  placed: readonly Placed[],
  rules: AgentRules,
  problems: string[],
): void {
  const text = (agent: NewAgent) => {
    const address = addressOf(agent, rules);
    return address === undefined ? "" : `address ${formatAddress(address)}`;
  };
  refuseSame(file, placed.filter(isLive), text, problems);
}

function refuseSame(
  file: ConfigFile,
  placed: readonly Placed[],
  textOf: (agent: NewAgent) => string,
  problems: string[],
): void {
  const first = new Map<string, Placed>();
  for (const one of placed) {
    const text = textOf(one.agent);
    const before = first.get(text);
    if (text === "") continue;
    if (before === undefined) first.set(text, one);
    else {
      const place = file.where(["agents", one.index]);
      problems.push(`${place}: agents[${one.index}] has the ${text} of agents[${before.index}]`);
    }
  }
}

function checkAddress(
  file: ConfigFile,
  { agent, index }: Placed,
  rules: AgentRules,
  problems: string[],
): void {
  const place = `${file.where(["agents", index])}: agents[${index}]`;
  if (agent.address !== "") {
    if (addressAllowed(rules.allowedAddresses, agent.address)) return;
    const allowed = rules.allowedAddresses.join(", ");
    problems.push(
      `${place}.address ${agent.address} is not among proxy.allowed_addresses: ${allowed || "none"}`,
    );
  } else if (agent.vsockCid !== 0 && addressOf(agent, rules) === undefined) {
    problems.push(`${place} has no address, and ${whyUnmapped(rules)}`);
  }
}

function whyUnmapped(rules: AgentRules): string {
  switch (rules.transport) {
    case undefined:
      return "proxy.transport is not set to derive one from vsock_cid: must be tcp, hybrid or vsock";
    case "unix":
      return "proxy.transport unix derives none: must be tcp, hybrid or vsock";
    default:
      return `proxy.tcp_base_port ${rules.tcpBasePort} and its vsock_cid give no port up to 65535`;
  }
}

function isLive({ agent }: Placed): boolean {
  return agent.status === "PROVISIONING" || agent.status === "RUNNING";
}

function normalAddress(text: string, context: z.RefinementCtx): string {
  try {
    return formatAddress(parseAddress(text));
  } catch (error) {
    context.addIssue(`is wrong: ${errorText(error)}`);
    return z.NEVER;
  }
}
