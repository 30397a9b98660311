import { once } from "node:events";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Duplex } from "node:stream";
import { inject } from "vitest";
import { dial } from "../../protocol/transport/dial.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { type Program, spawnProgram } from "../helpers/process.ts";
import { until } from "../helpers/until.ts";
import { AGENT_PORT, CONTROL_PORT } from "./guest/ports.ts";

const top = join(import.meta.dirname, "../..");
const device = join(top, ".cache/vm/cargo/bin/vhost-device-vsock");
const qemu = join(top, "scripts/vm/qemu.sh");

/** Time that a guest has to boot and to start its programs, on a machine with other work. */
export const BOOT_MS = 180_000;

/** A virtual machine and the other end of its vsock device, as processes of their own. */
export interface Machine {
  /** The QEMU process: its standard output is the guest's console. */
  readonly qemu: Program;
  /** When QEMU was started, as performance.now() says it. */
  readonly startedAt: number;
  /** Address of the guest's agent. */
  readonly address: string;
  /** Has the guest's control.ts carry something out. */
  control(command: string): Promise<unknown>;
  /** Milliseconds that each of some lines took to the guest's control.ts and back, on one connection. */
  roundTrips(count: number): Promise<number[]>;
  /** Ends both processes as a host's crash would. */
  kill(): Promise<void>;
}

/** Boots a guest that runs a shell script of the image; with a directory it gets a vsock device, whose sockets are made there. */
export async function boot(
  run: string,
  directory?: string,
  parameters: readonly string[] = [],
): Promise<Machine> {
  const muxer = join(directory ?? tempDir(), "vm.sock");
  const vhost = directory === undefined ? "" : join(directory, "vhost.sock");
  const backend = vhost === "" ? undefined : await startDevice(vhost, muxer);
  const startedAt = performance.now();
  const machine = spawnProgram(qemu, [inject("initrd"), vhost, `valinor.run=${run}`, ...parameters]);
  return {
    qemu: machine,
    startedAt,
    address: `unix://${muxer}?port=${AGENT_PORT}`,
    control: (command) => control(muxer, command),
    roundTrips: (count) => roundTrips(muxer, count),
    async kill() {
      machine.kill("SIGKILL");
      backend?.kill("SIGKILL");
      await Promise.all([machine.exited, backend?.exited]);
    },
  };
}

async function startDevice(vhost: string, muxer: string): Promise<Program> {
  for (const path of [vhost, muxer]) rmSync(path, { force: true });
  const program = spawnProgram(device, ["--vm", `guest-cid=3,socket=${vhost},uds-path=${muxer}`]);
  await until("the vsock device's socket", () => existsSync(vhost));
  return program;
}

async function roundTrips(muxer: string, count: number): Promise<number[]> {
  const socket = await dialControl(muxer);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    socket.write("ping\n");
    await once(socket, "data");
    times.push(performance.now() - started);
  }
  socket.destroy();
  return times;
}

/** Connects to the guest's control.ts; the connection is broken after 20 s. */
async function dialControl(muxer: string): Promise<Duplex> {
  const signal = AbortSignal.timeout(20_000);
  const socket = await dial({ kind: "hybrid", path: muxer, port: CONTROL_PORT }, signal);
  signal.addEventListener("abort", () => socket.destroy(new Error("the guest's control does not answer")));
  return socket;
}

/** Asks once a connection, again until the guest is there. */
async function control(muxer: string, command: string): Promise<unknown> {
  const answer = await until(
    `the guest's answer to ${command}`,
    async () => {
      const socket = await dialControl(muxer);
      socket.write(`${command}\n`);
      for await (const line of createInterface({ input: socket })) {
        socket.destroy();
        return line;
      }
      return undefined;
    },
    BOOT_MS,
  );
  const { value, error } = JSON.parse(answer) as { value?: unknown; error?: string };
  if (error !== undefined) throw new Error(`the guest could not do ${command}: ${error}`);
  return value;
}
