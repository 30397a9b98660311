import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { dial } from "../../../protocol/transport/dial.ts";
import { listen } from "../../../protocol/transport/listen.ts";
import { afterFile, tempDir } from "../../helpers/cleanup.ts";

const never = new AbortController().signal;
const directory = tempDir();
let made = 0;

/** A path that no other test uses. */
const freshPath = () => join(directory, `${made++}.sock`);

/** A server that says hello and tells of each connection. */
async function serve(): Promise<{ server: Server; port: number; next: () => Promise<Socket> }> {
  const waiting: Socket[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    waiting.push(socket);
    server.emit("accepted");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  afterFile(() => void server.close());
  const next = async () => {
    if (waiting.length === 0) await once(server, "accepted");
    return waiting.shift() as Socket;
  };
  return { server, port: (server.address() as AddressInfo).port, next };
}

describe("dial", () => {
  test("connects over tcp and loses nothing of what the guest says first", async () => {
    const { port, next } = await serve();
    const socket = await dial({ kind: "tcp", host: "127.0.0.1", port }, never);
    const guest = await next();
    guest.end("said at once");
    const heard = (await socket.toArray()) as Buffer[];
    expect(Buffer.concat(heard).toString()).toBe("said at once");
  });

  test("leaves nothing of the attempt with the socket", async () => {
    const { port, next } = await serve();
    const attempt = async () => {
      const { signal } = new AbortController();
      return [await dial({ kind: "tcp", host: "127.0.0.1", port }, signal), new WeakRef(signal)] as const;
    };
    const [socket, signal] = await attempt();
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    let isKept = true;
    for (let turn = 0; turn < 50 && isKept; turn++) {
      await nextTurn();
      collect();
      isKept = signal.deref() !== undefined;
    }
    expect(isKept).toBe(false);
    socket.destroy();
    (await next()).destroy();
  });

  test("connects over a Unix socket", async () => {
    const path = freshPath();
    const listener = await listen({ kind: "unix", path }, (socket) => void socket.end("hello"));
    const socket = await dial({ kind: "unix", path }, never);
    expect(Buffer.concat((await socket.toArray()) as Buffer[]).toString()).toBe("hello");
    await listener.close();
  });

  test("tells the address and the cause if the connection is refused", async () => {
    const { server, port } = await serve();
    server.close();
    await once(server, "close");
    await expect(dial({ kind: "tcp", host: "127.0.0.1", port }, never)).rejects.toMatchObject({
      code: "unreachable",
      message: expect.stringMatching(new RegExp(`^tcp://127.0.0.1:${port}: .*ECONNREFUSED`)) as string,
      cause: { code: "ECONNREFUSED" },
    });
  });

  test.each(["unix", "hybrid"] as const)("tells if a socket is not there (%s)", async (kind) => {
    const path = freshPath();
    await expect(dial({ kind, path, port: 1024 }, never)).rejects.toMatchObject({
      code: "unreachable",
      cause: { code: "ENOENT" },
    });
  });

  test("does not connect for a signal that was aborted before", async () => {
    const { server, port } = await serve();
    const aborted = AbortSignal.abort(new Error("too late"));
    await expect(dial({ kind: "tcp", host: "127.0.0.1", port }, aborted)).rejects.toMatchObject({
      code: "unreachable",
      cause: { message: "too late" },
    });
    // A later connection is the first that the server sees, or the other was closed.
    const socket = await dial({ kind: "tcp", host: "127.0.0.1", port }, never);
    const open = await new Promise<number>((resolve, reject) =>
      server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
    );
    expect(open).toBeLessThanOrEqual(1);
    socket.destroy();
  });

  test("leaves no socket if the signal aborts while it connects", async () => {
    const { port, next } = await serve();
    const controller = new AbortController();
    const dialled = dial({ kind: "tcp", host: "127.0.0.1", port }, controller.signal);
    controller.abort(new Error("changed my mind"));
    await expect(dialled).rejects.toMatchObject({
      code: "unreachable",
      cause: { message: "changed my mind" },
    });
    // The kernel may have accepted it: then it ends at once.
    const later = await dial({ kind: "tcp", host: "127.0.0.1", port }, never);
    const first = await next();
    later.destroy();
    first.resume();
    if (!first.destroyed) await new Promise((resolve) => first.once("close", resolve));
    expect(first.destroyed).toBe(true);
  });

  test("a signal that aborts after the connection does nothing to it", async () => {
    const { port, next } = await serve();
    const controller = new AbortController();
    const socket = await dial({ kind: "tcp", host: "127.0.0.1", port }, controller.signal);
    controller.abort();
    const guest = await next();
    guest.end("still here");
    expect(Buffer.concat((await socket.toArray()) as Buffer[]).toString()).toBe("still here");
  });

  test("a socket that breaks before its owner listens ends no process", async () => {
    const { port } = await serve();
    const socket = await dial({ kind: "tcp", host: "127.0.0.1", port }, never);
    const closed = new Promise<boolean>((resolve) => socket.on("close", () => resolve(true)));
    socket.destroy(new Error("broken"));
    expect(await closed).toBe(true);
  });
});
