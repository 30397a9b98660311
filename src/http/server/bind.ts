import { lookup } from "node:dns/promises";
import type { Server as HttpServer } from "node:http";
import { type AddressInfo, createServer, isIP, Server as NetServer } from "node:net";

/** Where a server listens. */
export interface Bound {
  /** The first address. */
  readonly host: string;
  readonly port: number;
  /** Every address, the first included. */
  readonly hosts: readonly string[];
  /** Those that listen at the further addresses. */
  readonly others: readonly NetServer[];
  /** Listens no more; resolves when no connection is open. */
  close(): Promise<void>;
}

/** How often a port is picked if any free one will do: it may be taken at another address of the name. */
const TRIES = 20;
/** What says that this machine has no such address. */
const NOT_HERE = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/**
 * Listens at every address of a host on one port (0: a free one). `localhost` is 127.0.0.1 and ::1 whatever the machine's files say and whichever
 * comes first: clients resolve it for themselves, and some try one address alone. Addresses that the machine does not have are left
 * out, unless it has none at all. Rejects, with nothing left open, if the port is taken at one of them.
 */
export async function bindEverywhere(server: HttpServer, host: string, port: number): Promise<Bound> {
  const hosts = await addressesOf(host);
  for (let tries = 1; ; tries++) {
    try {
      return await bindAll(server, hosts, port);
    } catch (error) {
      if (codeOf(error) !== "EADDRINUSE" || port !== 0 || tries === TRIES) throw error;
    }
  }
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0 || host === "") return [host];
  if (host.toLowerCase() === "localhost") return ["127.0.0.1", "::1"];
  const found = await lookup(host, { all: true });
  return [...new Set(found.map(({ address }) => address))];
}

async function bindAll(server: HttpServer, hosts: readonly string[], wanted: number): Promise<Bound> {
  const bound: string[] = [];
  const others: NetServer[] = [];
  let port = wanted;
  let missing: unknown;
  // http.Server's own close() would destroy connections whose last response is not flushed yet.
  const close = async () => void (await Promise.all([server, ...others].map(stop)));
  try {
    for (const host of hosts) {
      const next = bound.length === 0 ? server : besides(server);
      try {
        const address = await listen(next, host, port);
        bound.push(address.address);
        ({ port } = address);
        if (next !== server) others.push(next);
      } catch (error) {
        if (!NOT_HERE.has(codeOf(error))) throw error;
        missing = error;
      }
    }
  } catch (error) {
    if (bound.length > 0) await close();
    throw error;
  }
  const [host] = bound;
  if (host === undefined) throw missing;
  return { host, port, hosts: bound, others, close };
}

/** A server whose connections are another's. */
function besides(server: HttpServer): NetServer {
  const options = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 };
  const other = createServer(options, (socket) => {
    server.emit("connection", Object.assign(socket, { server }));
  });
  other.maxConnections = server.maxConnections;
  return other;
}

function listen(server: NetServer, host: string, port: number): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port }, () => {
      server.off("error", reject);
      resolve(server.address() as AddressInfo);
    });
  });
}

function stop(server: NetServer): Promise<void> {
  return new Promise((resolve) => {
    NetServer.prototype.close.call(server, () => resolve());
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}
