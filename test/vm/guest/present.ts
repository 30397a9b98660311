import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { Address } from "../../../protocol/transport/address.ts";
import { dial } from "../../../protocol/transport/dial.ts";
import { listen } from "../../../protocol/transport/listen.ts";
import { VSOCK_PORT_ANY } from "../../../protocol/transport/vsock.ts";
import {
  drainsWithin,
  fill,
  fillMore,
  isRefusal,
  LOOPBACK,
  noneLeft,
  reach,
  serve,
  sockets,
  soon,
} from "./peers.ts";
import type { Case } from "./results.ts";

/** Cases for a machine whose vsock has a loopback. */
export const present: readonly Case[] = [
  {
    name: "bytes go both ways",
    async run(measured) {
      const listener = await serve((socket) => void socket.pipe(socket));
      const socket = await reach(listener);
      const times: number[] = [];
      for (let i = 0; i < 200; i++) {
        const started = performance.now();
        socket.write(`turn ${i}`);
        const [answer] = (await once(socket, "data")) as [Buffer];
        equal(String(answer), `turn ${i}`);
        times.push(performance.now() - started);
      }
      measured("vsock loopback round trip (median)", times.toSorted((a, b) => a - b)[100] ?? 0, "ms");
      socket.destroy();
      await listener.close();
    },
  },
  {
    name: "what is said right before the end arrives",
    async run() {
      const words = "last words ".repeat(10_000);
      const listener = await serve((socket) => void socket.end(words));
      const heard = (await (await reach(listener)).toArray()) as Buffer[];
      equal(Buffer.concat(heard).toString(), words);
      await listener.close();
    },
  },
  {
    name: "many bytes arrive whole",
    async run(measured) {
      const size = 16 * 1024 * 1024;
      const listener = await serve((socket) => {
        const piece = Buffer.alloc(64 * 1024, 7);
        let left = size;
        const more = () => {
          while (left > 0) {
            left -= piece.length;
            if (!socket.write(piece)) return void socket.once("drain", more);
          }
          socket.end();
        };
        more();
      });
      const started = performance.now();
      let got = 0;
      const socket = await reach(listener);
      for await (const bytes of socket) got += (bytes as Buffer).length;
      equal(got, size);
      measured(
        "vsock loopback throughput",
        size / 1024 / 1024 / ((performance.now() - started) / 1_000),
        "MiB/s",
      );
      await listener.close();
    },
  },
  {
    name: "a writer whose peer does not read is told to wait, and to go on once it reads",
    async run() {
      const accepted = Promise.withResolvers<Duplex>();
      const listener = await serve(accepted.resolve);
      const writer = await reach(listener);
      const reader = await accepted.promise;
      // The kernel takes some of it, and then nothing moves, however long one waits.
      do fill(writer);
      while (await drainsWithin(writer, 1_000));
      ok(writer.writableLength > 0, "nothing waits though nobody reads");
      reader.resume();
      if (writer.writableLength > 0) await once(writer, "drain");
      equal(writer.writableLength, 0);
      writer.destroy();
      await listener.close();
    },
  },
  {
    name: "a stalled peer stops neither timers nor other connections",
    async run(measured) {
      const listener = await serve((socket) => {
        socket.on("data", (bytes: Buffer) => {
          if (String(bytes.subarray(0, 4)) === "echo") socket.write(bytes);
          else socket.pause();
        });
      });
      const stalled = await reach(listener);
      stalled.on("error", () => {});
      fill(stalled);
      const other = await reach(listener);
      let worst = 0;
      let last = performance.now();
      const beat = setInterval(() => {
        worst = Math.max(worst, performance.now() - last);
        last = performance.now();
      }, 20);
      for (let i = 0; i < 50; i++) {
        fillMore(stalled);
        other.write(`echo ${i}`);
        await once(other, "data");
      }
      clearInterval(beat);
      measured("longest pause of a timer beside a stalled peer", worst, "ms");
      ok(worst < 1_000, `a timer of 20 ms stood still for ${worst} ms`);
      for (const socket of [stalled, other]) socket.destroy();
      await listener.close();
    },
  },
  {
    name: "1,000 connections, one after another and many at once, leave nothing behind",
    async run(measured) {
      const listener = await serve((socket) => void socket.end("hello"));
      const say = async () => {
        const heard = (await (await reach(listener)).toArray()) as Buffer[];
        equal(Buffer.concat(heard).toString(), "hello");
      };
      await say();
      const before = sockets();
      const started = performance.now();
      for (let i = 0; i < 500; i++) await say();
      for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 50 }, say));
      measured("vsock loopback connections", 1_000 / ((performance.now() - started) / 1_000), "a second");
      await noneLeft(before);
      await listener.close();
    },
  },
  {
    name: "connections that either side closes at any moment leave nothing behind",
    async run() {
      const listener = await serve((socket) => {
        if (Math.random() < 0.3) return void socket.destroy();
        socket.on("data", () => socket.destroy());
        socket.write("hello");
      });
      const before = sockets();
      const race = async (n: number) => {
        const leave = new AbortController();
        if (n % 3 === 0) setTimeout(() => leave.abort(new Error("left")), Math.random() * 5);
        const signal = AbortSignal.any([leave.signal, soon()]);
        const address = { ...(listener.address as Address & { kind: "vsock" }), cid: LOOPBACK };
        const socket = await dial(address, signal).catch(() => undefined);
        if (socket === undefined) return;
        const closed = new Promise((resolve) => socket.once("close", resolve));
        socket.resume();
        if (n % 3 === 1) socket.destroy();
        else socket.end("x".repeat(n * 100));
        await closed;
      };
      for (let round = 0; round < 20; round++)
        await Promise.all(Array.from({ length: 20 }, (_, n) => race(round * 20 + n)));
      await noneLeft(before);
      await listener.close();
    },
  },
  {
    name: "a port on which nobody listens refuses, another machine is not reached",
    async run() {
      const refused = dial({ kind: "vsock", cid: LOOPBACK, port: 9 }, soon());
      await rejects(refused, { code: "unreachable", message: /vsock:\/\/1:9: .*refused/ });
      await rejects(refused, isRefusal);
      const away = dial({ kind: "vsock", cid: 77, port: 9 }, soon());
      await rejects(away, (error: Error) => {
        const { code } = error.cause as NodeJS.ErrnoException;
        ok(
          ["ENODEV", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"].includes(code ?? ""),
          `it failed with ${code}`,
        );
        return true;
      });
    },
  },
  {
    name: "a dial whose signal aborts leaves no socket",
    async run() {
      const before = sockets();
      const aborted = AbortSignal.abort(new Error("changed my mind"));
      await rejects(dial({ kind: "vsock", cid: LOOPBACK, port: 9 }, aborted), (error: Error) => {
        equal(error.cause, aborted.reason);
        return true;
      });
      await noneLeft(before);
    },
  },
  {
    name: "a guest's own programs are not let in where only the host is",
    async run() {
      let accepted = 0;
      const address = { kind: "vsock", cid: 0xffffffff, port: VSOCK_PORT_ANY } as const;
      const listener = await listen(address, () => accepted++);
      for (let i = 0; i < 20; i++) {
        const heard = await (await reach(listener)).toArray().catch(() => []);
        deepEqual(heard, []);
      }
      equal(accepted, 0);
      await listener.close();
    },
  },
  {
    name: "no more connections are let in than a listener holds, and again once some have ended",
    async run() {
      const accepted: Duplex[] = [];
      const listener = await serve((socket) => {
        accepted.push(socket);
        socket.resume();
        socket.write("hello");
      });
      const held = await Promise.all(Array.from({ length: 64 }, () => reach(listener)));
      await Promise.all(held.map((socket) => once(socket, "data")));
      const heard = await (await reach(listener)).toArray().catch(() => []);
      deepEqual(heard, []);
      const ended = accepted.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
      for (const socket of held) socket.destroy();
      await Promise.all(ended);
      await once(await reach(listener), "data");
      await listener.close();
    },
  },
  {
    name: "a port that is taken is told, and free again after close; who was accepted stays",
    async run() {
      const accepted = Promise.withResolvers<Duplex>();
      const listener = await serve(accepted.resolve);
      const socket = await reach(listener);
      const guest = await accepted.promise;
      await rejects(
        listen(listener.address, () => {}),
        /another program listens on this port \(EADDRINUSE\)/,
      );
      await listener.close();
      await rejects(reach(listener), isRefusal);
      guest.end("still here");
      equal(Buffer.concat((await socket.toArray()) as Buffer[]).toString(), "still here");
      await (await listen(listener.address, () => {})).close();
    },
  },
  {
    // The last one: the process cannot become root again.
    name: "a port below 1024 needs a capability, and says so",
    async run() {
      const low = { kind: "vsock", cid: 0xffffffff, port: 1_000 } as const;
      await (await listen(low, () => {})).close();
      process.setuid?.(1_000);
      await rejects(
        listen(low, () => {}),
        (error: Error) => {
          match(error.message, /CAP_NET_BIND_SERVICE.*EACCES/);
          return true;
        },
      );
    },
  },
];
