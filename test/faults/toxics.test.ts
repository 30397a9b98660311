import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createRandom } from "../convergence/random.ts";
import { startToxicProxy, type Toxic } from "./toxics.ts";

/** Dials through a toxic to a server that echoes; answers both ends. */
async function dial(toxic: Toxic): Promise<{ near: Socket; far: Socket; errors: string[] }> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
    resolve(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const proxy = await startToxicProxy(port, createRandom(1));
  proxy.plan(() => toxic);
  const near = connect(proxy.port, "127.0.0.1");
  const errors: string[] = [];
  near.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? ""));
  onTestFinished(() => {
    near.destroy();
    server.close();
  });
  return { near, far: await promise, errors };
}

/** An error comes before the close, and is no rejection here. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

async function echo(near: Socket, bytes: number): Promise<{ text: string; ms: number; packets: number }> {
  const began = performance.now();
  let text = "";
  let packets = 0;
  near.write("x".repeat(bytes));
  while (text.length < bytes) {
    const [part] = (await once(near, "data")) as [Buffer];
    text += part.toString();
    packets++;
  }
  return { text, ms: performance.now() - began, packets };
}

test.each<[Toxic, (seen: { ms: number; packets: number }) => boolean]>([
  [{ kind: "none" }, () => true],
  [{ kind: "latency", ms: 40, jitterMs: 10 }, ({ ms }) => ms >= 79],
  [{ kind: "bandwidth", bytesPerSecond: 4_000 }, ({ ms }) => ms >= 450],
  [{ kind: "slice", bytes: 10 }, ({ packets }) => packets > 5],
  [{ kind: "freeze", afterMs: 0, forMs: 300 }, ({ ms }) => ms >= 250],
])("%o changes when bytes come, and not which", async (toxic, holds) => {
  const { near } = await dial(toxic);
  const seen = await echo(near, 1_000);
  expect(seen.text).toBe("x".repeat(1_000));
  expect(holds(seen)).toBe(true);
});

test("a reset is one for both sides", async () => {
  const { near, far, errors } = await dial({ kind: "reset", afterMs: 50 });
  await Promise.all([closed(near), closed(far)]);
  expect(errors).toEqual(["ECONNRESET"]);
});

test("a limit ends the connection in the middle of what is sent", async () => {
  const { near, errors } = await dial({ kind: "limit", bytes: 700 });
  let bytes = 0;
  near.on("data", (part: Buffer) => (bytes += part.length));
  near.write("x".repeat(1_000));
  await closed(near);
  expect([bytes <= 700, errors]).toEqual([true, []]);
});

test("a half-open connection loses what is sent, and never closes by itself", async () => {
  const { near, far } = await dial({ kind: "half-open", afterMs: 30 });
  await closed(far);
  const silent = Promise.race([
    closed(near).then(() => "closed"),
    once(near, "data").then(() => "data"),
    new Promise((resolve) => setTimeout(resolve, 300, "silent")),
  ]);
  near.write("lost");
  expect(await silent).toBe("silent");
});
