import { constants } from "node:os";
import { getSystemErrorName } from "node:util";

/** An address of AF_VSOCK. */
export interface VsockPeer {
  readonly cid: number;
  readonly port: number;
}

/** The system calls that `node:net` lacks for AF_VSOCK. All return at once; the errors they throw have `code` and `syscall`. */
export interface VsockCalls {
  /** Makes a stream socket: non-blocking, not inherited by children. EAFNOSUPPORT if the kernel has no vsock. */
  socket(): number;
  /** Binds to an address; EACCES for ports below 1024 without CAP_NET_BIND_SERVICE. */
  bind(fd: number, address: VsockPeer): void;
  /** Begins to connect. Throws only what is known at once. */
  connect(fd: number, address: VsockPeer): void;
  /** How a connect stands: false while it is under way, true once connected. Throws what it failed with. */
  connected(fd: number): boolean;
  /** Who is at the other end; undefined if nobody is any more. */
  peer(fd: number): VsockPeer | undefined;
  /** Where the socket is bound; undefined if it is no vsock socket. */
  local(fd: number): VsockPeer | undefined;
  close(fd: number): void;
}

const AF_VSOCK = 40;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const POLLOUT = 4;
/** ESOCKTNOSUPPORT: no driver serves the address. os.constants lacks it. */
const NO_TRANSPORT = 94;
/** A connect that ends with one of these is under way, or done. */
const UNDER_WAY = errnos("EINPROGRESS", "EALREADY", "EISCONN", "EINTR");
/** What each call can fail with if its caller makes no mistake. */
const POSSIBLE = {
  socket: errnos("EAFNOSUPPORT", "EPROTONOSUPPORT", "EMFILE", "ENFILE", "ENOBUFS", "EACCES", "EPERM"),
  bind: errnos("EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "EPERM"),
  connect: errnos("ECONNRESET", "ECONNREFUSED", "ENODEV", "ENETUNREACH", "EHOSTUNREACH", "ETIMEDOUT")
    .union(errnos("EADDRNOTAVAIL", "EACCES", "EPERM"))
    .union(UNDER_WAY)
    .add(NO_TRANSPORT),
} as const;
/** Times that a call is made until it fails with something possible. */
const TRIES = 10;
/** Where libc, glibc and musl alike, tells where the thread's errno is. */
const ERRNO_LOCATION = "__errno_location";
/** Bytes of `struct sockaddr_vm`. */
const SOCKADDR_BYTES = 16;

const signatures = {
  socket: { arguments: ["int32", "int32", "int32"], return: "int32" },
  bind: { arguments: ["int32", "pointer", "uint32"], return: "int32" },
  connect: { arguments: ["int32", "pointer", "uint32"], return: "int32" },
  getsockopt: { arguments: ["int32", "int32", "int32", "pointer", "pointer"], return: "int32" },
  getsockname: { arguments: ["int32", "pointer", "pointer"], return: "int32" },
  getpeername: { arguments: ["int32", "pointer", "pointer"], return: "int32" },
  poll: { arguments: ["pointer", "uint64", "int32"], return: "int32" },
  close: { arguments: ["int32"], return: "int32" },
  [ERRNO_LOCATION]: { arguments: [], return: "pointer" },
} as const;

let loaded: VsockCalls | undefined;

/**
 * The calls, from the libc that Node itself runs on, by `node:ffi`; looked up once, when first asked for, so that only those
 * who use vsock need it. Throws Error that says what is missing if this Node or system can't.
 */
export function vsockCalls(): VsockCalls {
  return (loaded ??= load());
}

/** The functions of libc, and what tells the errno of this thread. */
function openLibc() {
  if (process.platform !== "linux")
    throw new Error(`vsock sockets need Linux, and this is ${process.platform}`);
  const ffi = process.getBuiltinModule("node:ffi") as typeof import("node:ffi") | undefined;
  if (ffi === undefined)
    throw new Error(`vsock sockets need node:ffi, which Node ${process.versions.node} lacks: use Node 26`);
  const { getInt32 } = ffi;
  // The process's own libc, glibc or musl, whatever its file is called. It stays loaded for the process's life.
  const { functions: libc } = ffi.dlopen(null, signatures);
  // It stays where it is for this thread.
  const errno = libc[ERRNO_LOCATION]();
  return { libc, errnoNow: () => getInt32(errno, 0) };
}

function load(): VsockCalls {
  const { libc, errnoNow } = openLibc();

  /**
   * What a call returns, or the negative errno of its failure. The engine makes system calls of its own, and one between libc
   * and here may overwrite errno. So a number that the call cannot fail with is not believed; a call that failed has changed
   * nothing, and is made again.
   */
  function attempt(syscall: keyof typeof POSSIBLE, call: () => number): number {
    for (let tries = 0; tries < TRIES; tries++) {
      const result = call();
      if (result >= 0) return result;
      const failure = errnoNow();
      if (POSSIBLE[syscall].has(failure)) return -failure;
    }
    throw systemError(0, syscall);
  }

  function must(syscall: keyof typeof POSSIBLE, call: () => number): number {
    const result = attempt(syscall, call);
    if (result < 0) throw systemError(-result, syscall);
    return result;
  }

  /** Address of one end of a socket; undefined if the call fails. */
  function addressBy(call: typeof libc.getsockname, fd: number): VsockPeer | undefined {
    const bytes = Buffer.alloc(SOCKADDR_BYTES);
    if (call(fd, bytes, uint32(SOCKADDR_BYTES)) !== 0 || bytes.readUInt16LE(0) !== AF_VSOCK) return undefined;
    return { port: bytes.readUInt32LE(4), cid: bytes.readUInt32LE(8) };
  }

  return {
    socket: () => must("socket", () => libc.socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
    bind: (fd, address) => void must("bind", () => libc.bind(fd, sockaddr(address), SOCKADDR_BYTES)),
    connect(fd, address) {
      const result = attempt("connect", () => libc.connect(fd, sockaddr(address), SOCKADDR_BYTES));
      if (result < 0 && !UNDER_WAY.has(-result)) throw systemError(-result, "connect");
    },
    connected(fd) {
      const poll = Buffer.alloc(8);
      poll.writeInt32LE(fd, 0);
      poll.writeInt16LE(POLLOUT, 4);
      if (libc.poll(poll, 1n, 0) <= 0) return false;
      const failure = uint32(0);
      libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, failure, uint32(failure.length));
      if (failure.readInt32LE(0) !== 0) throw systemError(failure.readInt32LE(0), "connect");
      return true;
    },
    peer: (fd) => addressBy(libc.getpeername, fd),
    local: (fd) => addressBy(libc.getsockname, fd),
    close: (fd) => void libc.close(fd),
  };
}

/** `struct sockaddr_vm` of linux/vm_sockets.h. */
function sockaddr({ cid, port }: VsockPeer): Buffer {
  const bytes = Buffer.alloc(SOCKADDR_BYTES);
  bytes.writeUInt16LE(AF_VSOCK, 0);
  bytes.writeUInt32LE(port, 4);
  bytes.writeUInt32LE(cid, 8);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function errnos(...names: (keyof typeof constants.errno)[]): Set<number> {
  return new Set(names.map((name) => constants.errno[name]));
}

function systemError(errno: number, syscall: string): Error {
  const code = errno > 0 ? getSystemErrorName(-errno) : "UNKNOWN";
  return Object.assign(new Error(`${syscall} ${code}`), { errno: -errno, code, syscall });
}
