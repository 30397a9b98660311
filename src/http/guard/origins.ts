/** A Host header or `:authority`, taken apart. */
export interface HostName {
  /** Lower case, IPv6 in brackets. */
  readonly name: string;
  /** Empty if none is given. */
  readonly port: string;
}

const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?$/;

/** Takes a Host header apart; undefined if it is not a valid one. */
export function parseHost(text: string): HostName | undefined {
  const match = HOST.exec(text.toLowerCase());
  if (match === null) return undefined;
  return { name: match[1] ?? "", port: match[2] ?? "" };
}

/** An origin as browsers write it (`https://app.example.com:8443`), or undefined for anything else, `null` included. */
export function parseOrigin(text: string): string | undefined {
  const url = URL.parse(text);
  return url !== null && url.origin !== "null" && url.origin === text.toLowerCase() ? url.origin : undefined;
}

/** True if the origin is the one that the Host header names, over http or, behind a TLS proxy, https. */
export function isSameOrigin(origin: string, host: HostName): boolean {
  const url = URL.parse(origin);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return false;
  const standard = url.protocol === "http:" ? "80" : "443";
  const port = host.port === standard ? "" : host.port;
  return url.hostname === host.name && url.port === port;
}
