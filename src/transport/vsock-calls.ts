import { getSystemErrorName } from "node:util";

/** An address of AF_VSOCK. */
export interface VsockPeer {
  readonly cid: number;
  readonly port: number;
}

/** The system calls that `node:net` lacks for AF_VSOCK. All return at once; the errors they throw have `code` and `syscall`. */
export interface VsockCalls {
  /** Makes a stream socket: non-blocking, not inherited by children. EAFNOSUPPORT where the kernel has no vsock. */
  socket(): number;
  /** Binds to an address; EACCES for ports below 1024 without CAP_NET_BIND_SERVICE. */
  bind(fd: number, address: VsockPeer): void;
  /** Begins to connect. Throws only what is known at once. */
  connect(fd: number, address: VsockPeer): void;
  /** How a connect stands: false while it is under way, true once connected. Throws what it failed with. */
  connected(fd: number): boolean;
  /** Who is at the other end; undefined where nobody is any more. */
  peer(fd: number): VsockPeer | undefined;
  /** Where the socket is bound. */
  local(fd: number): VsockPeer;
  close(fd: number): void;
}

const AF_VSOCK = 40;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const POLLOUT = 4;
const EINTR = 4;
const EINPROGRESS = 115;
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
 * who use vsock need it. Throws Error that says what is missing where this Node or system can't.
 */
export function vsockCalls(): VsockCalls {
  return (loaded ??= load());
}

function load(): VsockCalls {
  if (process.platform !== "linux")
    throw new Error(`vsock sockets need Linux, and this is ${process.platform}`);
  const ffi = process.getBuiltinModule("node:ffi") as typeof import("node:ffi") | undefined;
  if (ffi === undefined)
    throw new Error(`vsock sockets need node:ffi, which Node ${process.versions.node} lacks: use Node 26`);
  // The process's own libc, glibc or musl, whatever its file is called. It stays loaded for the process's life.
  const { functions: libc } = ffi.dlopen(null, signatures);
  const { [ERRNO_LOCATION]: errnoLocation } = libc;

  /** Throws what a call failed with. Must follow the call at once: errno is of the last one. */
  function check(result: number, syscall: string): number {
    if (result >= 0) return result;
    throw systemError(errno(), syscall);
  }
  const errno = () => ffi.getInt32(errnoLocation(), 0);

  function name(call: "getsockname" | "getpeername", fd: number): VsockPeer {
    const bytes = Buffer.alloc(SOCKADDR_BYTES);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(SOCKADDR_BYTES);
    check(libc[call](fd, bytes, length), call);
    if (bytes.readUInt16LE(0) !== AF_VSOCK) throw new Error(`file descriptor ${fd} is no vsock socket`);
    return { port: bytes.readUInt32LE(4), cid: bytes.readUInt32LE(8) };
  }

  return {
    socket: () => check(libc.socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"),
    bind: (fd, address) => void check(libc.bind(fd, sockaddr(address), SOCKADDR_BYTES), "bind"),
    connect(fd, address) {
      if (libc.connect(fd, sockaddr(address), SOCKADDR_BYTES) === 0) return;
      const code = errno();
      // Interrupted by a signal it goes on, as if it had been in progress.
      if (code !== EINPROGRESS && code !== EINTR) throw systemError(code, "connect");
    },
    connected(fd) {
      const poll = Buffer.alloc(8);
      poll.writeInt32LE(fd, 0);
      poll.writeInt16LE(POLLOUT, 4);
      if (libc.poll(poll, 1n, 0) <= 0) return false;
      const value = Buffer.alloc(4);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(4);
      check(libc.getsockopt(fd, SOL_SOCKET, SO_ERROR, value, length), "getsockopt");
      const failure = value.readInt32LE(0);
      if (failure !== 0) throw systemError(failure, "connect");
      return true;
    },
    peer(fd) {
      try {
        return name("getpeername", fd);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOTCONN") return undefined;
        throw error;
      }
    },
    local: (fd) => name("getsockname", fd),
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

function systemError(errno: number, syscall: string): Error {
  const code = errno > 0 ? getSystemErrorName(-errno) : "UNKNOWN";
  return Object.assign(new Error(`${syscall} ${code}`), { errno: -errno, code, syscall });
}
