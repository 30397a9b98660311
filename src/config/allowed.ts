import { type Address, parseAddress } from "@valinor/protocol";

/**
 * Which addresses agents may have. A pattern is an address in which `*` matches a whole host, port or CID; in a path `*`
 * matches anything within one segment, `**` anything. Unix patterns hold for hybrid addresses too, whatever their port.
 */
const PATTERN =
  /^(?:tcp:\/\/(?<host>\*|\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(?<port>\*|\d{1,5})|vsock:\/\/(?<cid>\*|\d{1,10}):(?<vsockPort>\*|\d{1,10})|unix:\/\/(?<path>\/[^?#]*))$/;

/** True for a pattern that addressAllowed understands. */
export function isAddressPattern(text: string): boolean {
  return PATTERN.test(text);
}

/**
 * True if one of the patterns matches the address. Text that is not an address is not allowed; nor are the CIDs below 3, which
 * are not guests (1: this machine, 2: the host), unless a pattern names them.
 */
export function addressAllowed(patterns: readonly string[], address: string): boolean {
  const parsed = tryParse(address);
  return parsed !== undefined && patterns.some((pattern) => matches(pattern, parsed));
}

function tryParse(address: string): Address | undefined {
  try {
    return parseAddress(address);
  } catch {
    return undefined; // the text is not an address, so it is not allowed
  }
}

function matches(pattern: string, address: Address): boolean {
  const parts = PATTERN.exec(pattern)?.groups;
  if (parts === undefined) return false;
  switch (address.kind) {
    case "tcp":
      return hostMatches(parts["host"], address.host) && numberMatches(parts["port"], address.port);
    case "vsock":
      if (parts["cid"] === "*" && address.cid < 3) return false;
      return numberMatches(parts["cid"], address.cid) && numberMatches(parts["vsockPort"], address.port);
    case "unix":
    case "hybrid":
      return parts["path"] !== undefined && pathMatches(parts["path"], address.path);
  }
}

function hostMatches(pattern: string | undefined, host: string): boolean {
  if (pattern === undefined) return false;
  return pattern === "*" || pattern.replace(/^\[(.*)\]$/, "$1").toLowerCase() === host.toLowerCase();
}

function numberMatches(pattern: string | undefined, value: number): boolean {
  return pattern === "*" || Number(pattern) === value;
}

function pathMatches(pattern: string, path: string): boolean {
  if (path.split("/").includes("..")) return false;
  const source = pattern
    .split(/(\*{1,2})/)
    .map((piece) => (piece === "**" ? ".*" : piece === "*" ? "[^/]*" : RegExp.escape(piece)))
    .join("");
  return new RegExp(`^${source}$`, "s").test(path);
}
