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

const FORMS = "tcp://HOST:PORT, unix:///PATH, unix:///PATH?port=PORT, vsock://CID:PORT";

/** Parses an address. Throws Error with a sentence that quotes it and says what is wrong. */
export function parseAddress(text: string): Address {
  // Not by URL: a vsock port may be larger than it takes.
  if (text.startsWith("vsock:")) return parseVsock(text);
  const url = URL.parse(text);
  if (url?.protocol === "tcp:") return parseTcp(url, text);
  if (url?.protocol === "unix:") return parseUnix(url, text);
  throw wrong(text, `is not one of ${FORMS}`);
}

/** The text that parseAddress takes; the same for equal addresses. */
export function formatAddress(address: Address): string {
  switch (address.kind) {
    case "tcp":
      return `tcp://${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
    case "unix":
      return `unix://${encodePath(address.path)}`;
    case "hybrid":
      return `unix://${encodePath(address.path)}?port=${address.port}`;
    case "vsock":
      return `vsock://${address.cid}:${address.port}`;
  }
}

/** Percent-encodes all that means something in a URL, `?` and `#` too; slashes stay. */
function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

function parseTcp(url: URL, text: string): Address {
  if (url.username + url.password + url.pathname + url.search + url.hash !== "") {
    throw wrong(text, "has more than a host and a port");
  }
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1").toLowerCase();
  if (host === "") throw wrong(text, "has no host");
  const port = parseInteger(url.port, 65535);
  if (port === undefined) throw wrong(text, "has no port between 1 and 65535");
  return { kind: "tcp", host, port };
}

function parseVsock(text: string): Address {
  const [, cidText = "", portText = ""] = /^vsock:\/\/([^:/]*)(?::(.*))?$/.exec(text) ?? [];
  const cid = parseInteger(cidText, 0xfffffffe);
  if (cid === undefined) throw wrong(text, "has no vsock CID");
  return { kind: "vsock", cid, port: parseVsockPort(portText, text) };
}

function parseVsockPort(portText: string, text: string): number {
  const port = parseInteger(portText, 0xffffffff);
  if (port === undefined) throw wrong(text, "has no vsock port");
  return port;
}

function parseUnix(url: URL, text: string): Address {
  const path = decodePath(url.pathname, text);
  if (url.host !== "" || !path.startsWith("/")) {
    throw wrong(text, "has no absolute path: write unix:///PATH");
  }
  if (Buffer.byteLength(path) > SUN_PATH) {
    throw wrong(text, `has a socket path longer than the ${SUN_PATH} bytes that Linux takes`);
  }
  if (url.hash !== "") throw wrong(text, "has a # in it: write %23");
  const parameters = [...url.searchParams];
  if (parameters.length === 0) return { kind: "unix", path };
  const [name, portText] = parameters[0] as [string, string];
  if (name !== "port" || parameters.length > 1) throw wrong(text, "has parameters other than one port");
  return { kind: "hybrid", path, port: parseVsockPort(portText, text) };
}

function decodePath(pathname: string, text: string): string {
  let path;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    throw wrong(text, "has a % that begins no character");
  }
  // The kernel would end the path there.
  if (path.includes("\0")) throw wrong(text, "has a zero byte in its path");
  return path;
}

/** A decimal integer from 1 to `most`. */
function parseInteger(text: string, most: number): number | undefined {
  const value = Number(text);
  return /^\d{1,10}$/.test(text) && value >= 1 && value <= most ? value : undefined;
}

function wrong(text: string, what: string): Error {
  return new Error(`address ${JSON.stringify(text)} ${what}`);
}
