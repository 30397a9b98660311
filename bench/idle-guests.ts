/**
 * Fake guests that do nothing but keep their links: each takes the configuration that it is given, and reports it. A message `restart` ends
 * every link at once, as if all machines had been started again; any other is answered with a sample, whose count is that of links that
 * are up and have their configuration.
 */
import { createServer, type AddressInfo, type Socket } from "node:net";
import { createFrameDecoder } from "../protocol/wire/decoder.ts";
import { encodeFrame } from "../protocol/wire/frame.ts";
import { limits } from "../protocol/wire/limits.ts";
import { argument, serveControl } from "./control.ts";
import type { GuestArgument } from "./guest.ts";

const sockets = new Set<Socket>();
let boot = 1;
let settled = 0;

class IdleGuest {
  #boot = boot;
  #revision = 0;
  #sha256 = "";

  readonly serve = (socket: Socket): void => {
    let isSettled = false;
    const say = (type: Parameters<typeof encodeFrame>[0], id: string, payload: object) =>
      socket.write(encodeFrame(type, id, payload));
    const decoder = createFrameDecoder(({ type, id, payload }) => {
      if (type === "hello") say("heartbeat", "", this.#heartbeat());
      else if (type === "ping") say("pong", id, {});
      else if (type === "config_update") {
        this.#revision = Number(payload["revision"]);
        this.#sha256 = String(payload["sha256"]);
        say("config_ack", id, { applied: true, revision: this.#revision, sha256: this.#sha256 });
      } else return;
      if (isSettled || this.#revision === 0) return;
      isSettled = true;
      settled++;
    });
    const heartbeats = setInterval(() => say("heartbeat", "", this.#heartbeat()), limits.heartbeatMs);
    sockets.add(socket);
    socket.on("data", (bytes: Buffer) => decoder.push(bytes));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      sockets.delete(socket);
      clearInterval(heartbeats);
      if (isSettled) settled--;
    });
    say("heartbeat", "", { status: "ready", uptime_secs: 1, protocol: 2 });
  };

  #heartbeat(): object {
    if (this.#boot !== boot) {
      this.#boot = boot;
      this.#revision = 0;
      this.#sha256 = "";
    }
    return {
      status: "ready",
      uptime_secs: process.uptime(),
      protocol: 2,
      boot_id: `boot-${this.#boot}`,
      agent_version: "bench",
      config_revision: this.#revision,
      config_sha256: this.#sha256,
      in_flight: 0,
      openclaw: "ready",
      lives: true,
      remembers: "memory",
    };
  }
}

async function listen(): Promise<number> {
  const server = createServer({ noDelay: true }, new IdleGuest().serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

process.on("message", (message) => {
  if (message !== "restart") return;
  boot++;
  for (const socket of sockets) socket.destroy();
});
const { guests } = argument() as GuestArgument;
const ports: number[] = [];
while (ports.length < guests) ports.push(await listen());
serveControl(ports, () => settled);
