import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../convergence/random.ts";
import { afterFile } from "../helpers/cleanup.ts";

/** What a proxy does to one connection. Times are milliseconds from its beginning, sizes bytes of either direction. */
export type Toxic =
  | { readonly kind: "none" }
  /** Everything comes later, each piece by another time. */
  | { readonly kind: "latency"; readonly ms: number; readonly jitterMs: number }
  | { readonly kind: "bandwidth"; readonly bytesPerSecond: number }
  /** Everything comes in pieces of this size at most, each a packet of its own. */
  | { readonly kind: "slice"; readonly bytes: number }
  /** Both sides get RST. */
  | { readonly kind: "reset"; readonly afterMs: number }
  /** Nothing passes for a while, and then all of it does. */
  | { readonly kind: "freeze"; readonly afterMs: number; readonly forMs: number }
  /** The upstream side is gone, and the other is not told: what it sends is lost. */
  | { readonly kind: "half-open"; readonly afterMs: number }
  /** After so many bytes of one direction both sides get FIN, wherever in a message that is. */
  | { readonly kind: "limit"; readonly bytes: number };

/** Names of toxics. */
export type ToxicKind = Toxic["kind"];

/** A TCP proxy that does to each connection what it is told. */
export interface ToxicProxy {
  readonly port: number;
  /** Connections so far, by what was done to them. */
  readonly counts: Readonly<Record<ToxicKind, number>>;
  /** Says for each connection that is made from now on what is done to it. */
  plan(next: () => Toxic): void;
  /** Destroys every connection now. */
  cutAll(): void;
}

/** Makes toxics of the given kinds as a seed decides, and leaves this share of connections alone. */
export function createToxics(random: Random, kinds: readonly ToxicKind[], untouched: number): () => Toxic {
  const between = (least: number, most: number) => least + random.below(most - least);
  return () => {
    const kind = random.chance(untouched) ? "none" : (kinds[random.below(kinds.length)] ?? "none");
    switch (kind) {
      case "none":
        return { kind };
      case "latency":
        return { kind, ms: between(1, 60), jitterMs: between(1, 40) };
      case "bandwidth":
        return { kind, bytesPerSecond: between(8, 64) * 1024 };
      case "slice":
        return { kind, bytes: between(1, 64) };
      case "reset":
      case "half-open":
        return { kind, afterMs: between(20, 3_000) };
      case "freeze":
        return { kind, afterMs: between(20, 2_000), forMs: between(200, 2_500) };
      case "limit":
        return { kind, bytes: between(100, 60_000) };
    }
  };
}

/** Starts a proxy of 127.0.0.1 in front of a port of it; it ends after the file. */
export async function startToxicProxy(target: number, random: Random): Promise<ToxicProxy> {
  const open = new Set<Socket>();
  const counts = {
    none: 0,
    latency: 0,
    bandwidth: 0,
    slice: 0,
    reset: 0,
    freeze: 0,
    "half-open": 0,
    limit: 0,
  };
  let next = (): Toxic => ({ kind: "none" });
  const server = createServer({ noDelay: true }, (client) => {
    const toxic = next();
    counts[toxic.kind]++;
    const upstream = connect({ port: target, host: "127.0.0.1", noDelay: true });
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket.once("close", () => open.delete(socket));
      // What an error means for the other side is said where the connection closes.
      socket.on("error", () => {});
    }
    join(client, upstream, toxic, random);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const cutAll = (): void => open.forEach((socket) => socket.destroy());
  afterFile(() => {
    cutAll();
    server.close();
  });
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    counts,
    plan(plan) {
      next = plan;
    },
    cutAll,
  };
}

/** Joins two sockets until one of them closes. */
function join(client: Socket, upstream: Socket, toxic: Toxic, random: Random): void {
  const pair = [client, upstream];
  let halfOpen = false;
  const destroy = (): void => {
    if (!halfOpen) pair.forEach((socket) => socket.destroy());
  };
  for (const socket of pair) socket.once("close", destroy);
  const gate = createGate(toxic);
  const lose = (): void => {
    halfOpen = true;
    upstream.destroy();
  };
  const timers = [
    ...(toxic.kind === "reset"
      ? [setTimeout(() => pair.forEach((socket) => socket.resetAndDestroy()), toxic.afterMs)]
      : []),
    ...(toxic.kind === "half-open" ? [setTimeout(lose, toxic.afterMs)] : []),
  ];
  client.once("close", () => {
    for (const timer of timers) clearTimeout(timer);
    upstream.destroy();
  });
  const pass = (from: Socket, to: Socket): void =>
    void forward(from, to, toxic, random, gate).catch(() => {
      // A socket that fails ends its pair: that is what its peer must see.
      destroy();
    });
  pass(client, upstream);
  pass(upstream, client);
}

/** Resolves at once but for a connection that is frozen. */
function createGate(toxic: Toxic): () => Promise<void> {
  if (toxic.kind !== "freeze") return () => Promise.resolve();
  const frozenAt = performance.now() + toxic.afterMs;
  return async () => {
    const now = performance.now();
    if (now >= frozenAt) await sleep(Math.max(0, frozenAt + toxic.forMs - now));
  };
}

async function forward(
  from: Socket,
  to: Socket,
  toxic: Toxic,
  random: Random,
  gate: () => Promise<void>,
): Promise<void> {
  let passed = 0;
  for await (const part of from) {
    const bytes = part as Buffer;
    await gate();
    if (toxic.kind === "latency") await sleep(toxic.ms + random.below(toxic.jitterMs));
    if (toxic.kind === "bandwidth") await sleep((bytes.length / toxic.bytesPerSecond) * 1_000);
    if (toxic.kind === "limit" && passed + bytes.length >= toxic.bytes) {
      to.end(bytes.subarray(0, toxic.bytes - passed));
      from.end();
      return;
    }
    passed += bytes.length;
    if (toxic.kind === "slice") await slice(bytes, to, toxic.bytes);
    else await write(to, bytes);
  }
  to.end();
}

async function slice(bytes: Buffer, to: Socket, size: number): Promise<void> {
  // More than that of one piece would only cost time: frames and lines are short.
  const cut = Math.min(bytes.length, size * 64);
  for (let at = 0; at < cut; at += size) {
    await write(to, bytes.subarray(at, Math.min(cut, at + size)));
    await new Promise((resolve) => setImmediate(resolve));
  }
  if (cut < bytes.length) await write(to, bytes.subarray(cut));
}

/** Waits for room. What is written to a socket that is gone is lost, as on a network. */
async function write(to: Socket, bytes: Buffer): Promise<void> {
  if (to.destroyed || to.write(bytes)) return;
  const waited = new AbortController();
  const { signal } = waited;
  // The loser's rejection is its abort.
  await Promise.race([once(to, "drain", { signal }), once(to, "close", { signal })]).catch(() => {});
  waited.abort();
}
