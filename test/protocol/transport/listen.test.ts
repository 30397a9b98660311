import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { describe, expect, test } from "vitest";
import { dial } from "../../../protocol/transport/dial.ts";
import { listen, type Listener } from "../../../protocol/transport/listen.ts";
import { afterFile, tempDir } from "../../helpers/cleanup.ts";

const never = new AbortController().signal;
const directory = tempDir();
let made = 0;

/** A path that no other test uses. */
const freshPath = () => join(directory, `${made++}.sock`);

/** Listens until the file's tests have ended; says hello to everybody. */
async function greet(address: Parameters<typeof listen>[0]): Promise<Listener> {
  const listener = await listen(address, (socket) => void socket.end("hello"));
  afterFile(() => listener.close());
  return listener;
}

async function hear(socket: Duplex): Promise<string> {
  return Buffer.concat((await socket.toArray()) as Buffer[]).toString();
}

/** Starts a program that listens on the path and then does what the code says. */
async function listenElsewhere(path: string, then: string): Promise<ChildProcess> {
  const code = `const server = require("node:net").createServer();
    server.listen({ path: ${JSON.stringify(path)}, backlog: 1 }, () => {
      require("node:fs").writeSync(1, "listening");
      ${then}
    });`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "pipe", "inherit"] });
  afterFile(() => void child.kill("SIGKILL"));
  await once(child.stdout, "data");
  return child;
}

describe("a listener on tcp", () => {
  test("tells the port it got if 0 was asked for, and accepts there", async () => {
    const { address } = await greet({ kind: "tcp", host: "127.0.0.1", port: 0 });
    expect(address).toMatchObject({ kind: "tcp", host: "127.0.0.1" });
    expect(address.kind === "tcp" && address.port > 0).toBe(true);
    expect(await hear(await dial(address, never))).toBe("hello");
  });

  test("tells the address and the cause if the port is taken", async () => {
    const { address } = await greet({ kind: "tcp", host: "127.0.0.1", port: 0 });
    await expect(listen(address, () => {})).rejects.toThrow(/tcp:\/\/127\.0\.0\.1:\d+.*EADDRINUSE/);
  });

  test("accepts nobody after close, and keeps who is there", async () => {
    const accepted = Promise.withResolvers<Duplex>();
    const listener = await listen({ kind: "tcp", host: "127.0.0.1", port: 0 }, accepted.resolve);
    const socket = await dial(listener.address, never);
    const guest = await accepted.promise;
    await listener.close();
    await expect(dial(listener.address, never)).rejects.toMatchObject({ code: "unreachable" });
    guest.end("still here");
    expect(await hear(socket)).toBe("still here");
  });
});

describe("a listener on a Unix socket", () => {
  test("makes it for its owner alone, and removes it", async () => {
    const path = freshPath();
    const listener = await greet({ kind: "unix", path });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await listener.close();
    expect(existsSync(path)).toBe(false);
  });

  test("replaces one whose program has died", async () => {
    const path = freshPath();
    const child = await listenElsewhere(path, "");
    child.kill("SIGKILL");
    await once(child, "close");
    expect(existsSync(path)).toBe(true);
    await greet({ kind: "unix", path });
    expect(await hear(await dial({ kind: "unix", path }, never))).toBe("hello");
  });

  test("leaves one that answers to its program", async () => {
    const path = freshPath();
    await greet({ kind: "unix", path });
    await expect(listen({ kind: "unix", path }, () => {})).rejects.toThrow(
      `${path}: another program listens`,
    );
    expect(await hear(await dial({ kind: "unix", path }, never))).toBe("hello");
  });

  test("leaves one whose program is too busy to accept", async () => {
    const path = freshPath();
    // Its event loop stands still, and its backlog is full.
    await listenElsewhere(path, "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);");
    const refused = Promise.withResolvers<void>();
    for (let i = 0; i < 8; i++) {
      const socket = connect(path);
      afterFile(() => void socket.destroy());
      socket.on("error", () => refused.resolve());
    }
    await refused.promise;
    await expect(listen({ kind: "unix", path }, () => {})).rejects.toThrow(`cannot listen on ${path}`);
    expect(existsSync(path)).toBe(true);
  });

  test("leaves a file that is no socket", async () => {
    const path = freshPath();
    writeFileSync(path, "mine");
    await expect(listen({ kind: "unix", path }, () => {})).rejects.toThrow("a file there is not a socket");
    expect(statSync(path).size).toBe(4);
  });

  test("tells the address and the cause if the directory is not there", async () => {
    const path = join(directory, "none", "a.sock");
    await expect(listen({ kind: "unix", path }, () => {})).rejects.toThrow(path);
  });
});

test("a guest cannot listen on the host's side of vsock", async () => {
  const address = { kind: "hybrid", path: freshPath(), port: 1024 } as const;
  await expect(listen(address, () => {})).rejects.toThrow("hybrid");
});
