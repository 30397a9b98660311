/** Where a guest listens, as written in `address` of an agent and on the guest's command line. */
export type Address =
  /** `tcp://HOST:PORT` */
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  /** `unix:///PATH` */
  | { readonly kind: "unix"; readonly path: string }
  /** `unix:///PATH?port=PORT`: hybrid vsock, the Unix socket of a Firecracker-like VMM in front of guest port PORT */
  | { readonly kind: "hybrid"; readonly path: string; readonly port: number }
  /** `vsock://CID:PORT` */
  | { readonly kind: "vsock"; readonly cid: number; readonly port: number };

/** Longest path of a Unix socket that Linux takes, its closing zero left out. */
const SUN_PATH = 107;

/** Parses an address. Throws Error with a sentence that says what is wrong. */
export function parseAddress(text: string): Address {
  const url = URL.parse(text);
  switch (url?.protocol) {
    case "tcp:":
      return { kind: "tcp", host: parseHost(url, text), port: parsePort(url.port, text) };
    case "vsock:":
      return { kind: "vsock", cid: parseCid(url.hostname, text), port: parseVsockPort(url.port, text) };
    case "unix:":
      return parseUnix(url, text);
    default:
      throw new Error(
        `address ${JSON.stringify(text)} is none of tcp://HOST:PORT, unix:///PATH, unix:///PATH?port=PORT, vsock://CID:PORT`,
      );
  }
}

/** The text that parseAddress takes. */
export function formatAddress(address: Address): string {
  switch (address.kind) {
    case "tcp":
      return `tcp://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
    case "unix":
      return `unix://${encodeURI(address.path)}`;
    case "hybrid":
      return `unix://${encodeURI(address.path)}?port=${address.port}`;
    case "vsock":
      return `vsock://${address.cid}:${address.port}`;
  }
}

function parseHost(url: URL, text: string): string {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (host === "") throw new Error(`address ${JSON.stringify(text)} has no host`);
  return host;
}

function parsePort(port: string, text: string): number {
  const value = Number(port);
  if (port === "" || !Number.isInteger(value) || value < 1 || value > 65535) {
    throw new Error(`address ${JSON.stringify(text)} has no port between 1 and 65535`);
  }
  return value;
}

function parseVsockPort(port: string | null, text: string): number {
  const value = Number(port);
  if (!port || !Number.isInteger(value) || value < 1 || value > 0xffffffff) {
    throw new Error(`address ${JSON.stringify(text)} has no vsock port`);
  }
  return value;
}

function parseCid(cid: string, text: string): number {
  const value = Number(cid);
  if (cid === "" || !Number.isInteger(value) || value < 1 || value > 0xfffffffe) {
    throw new Error(`address ${JSON.stringify(text)} has no vsock CID`);
  }
  return value;
}

function parseUnix(url: URL, text: string): Address {
  const path = decodeURI(url.pathname);
  if (url.hostname !== "" || !path.startsWith("/")) {
    throw new Error(`address ${JSON.stringify(text)} has no absolute path: write unix:///PATH`);
  }
  if (Buffer.byteLength(path) > SUN_PATH) {
    throw new Error(
      `the socket path of ${JSON.stringify(text)} is longer than the ${SUN_PATH} bytes that Linux takes`,
    );
  }
  const port = url.searchParams.get("port");
  if (port === null) return { kind: "unix", path };
  return { kind: "hybrid", path, port: parseVsockPort(port, text) };
}
