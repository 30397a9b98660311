import { type Address, parseAddress } from "@valinor/protocol";

/** How agents without an address of their own are reached. */
export interface AddressRules {
  /** Undefined: only agents with an address can be reached. */
  readonly transport: "tcp" | "unix" | "hybrid" | "vsock" | undefined;
  /** Port of CID 0 for `tcp`. */
  readonly tcpBasePort: number;
  /** Path for `hybrid`; `{agent_id}` and `{tenant}` stand for the agent's. */
  readonly hybridPath: string;
  /** vsock port that guests listen on. */
  readonly guestPort: number;
}

/** What of an agent its address depends on. */
export interface Addressed {
  readonly tenant: string;
  readonly id: string;
  readonly vsockCid: number;
  readonly address: string;
}

/**
 * Where to dial an agent; undefined if it has neither an address nor what the transport derives one from. Throws Error for
 * an address that can't be parsed, and for names that would lead out of the folder of `hybridPath`.
 */
export function addressOf(agent: Addressed, rules: AddressRules): Address | undefined {
  if (agent.address !== "") return parseAddress(agent.address);
  switch (rules.transport) {
    case "tcp": {
      const port = rules.tcpBasePort + agent.vsockCid;
      if (agent.vsockCid === 0 || port > 65535) return undefined;
      return { kind: "tcp", host: "127.0.0.1", port };
    }
    case "hybrid": {
      const path = rules.hybridPath
        .replaceAll("{agent_id}", () => pathPart(agent.id))
        .replaceAll("{tenant}", () => pathPart(agent.tenant));
      return { kind: "hybrid", path, port: rules.guestPort };
    }
    case "vsock":
      return agent.vsockCid === 0 ? undefined : { kind: "vsock", cid: agent.vsockCid, port: rules.guestPort };
    case "unix":
    case undefined:
      return undefined;
  }
}

/** A tenant comes from a credential: it must name one part of a path, not a way to somewhere else. */
function pathPart(name: string): string {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name))
    throw new Error(`${JSON.stringify(name)} can't be a part of proxy.hybrid_path`);
  return name;
}
