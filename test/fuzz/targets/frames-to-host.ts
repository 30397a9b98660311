import { duplexPair, type Duplex } from "node:stream";
import type { Connection } from "../../../src/link/connection.ts";
import type { Exchange } from "../../../src/link/exchange.ts";
import { createIntake } from "../../../src/link/intake.ts";
import { openConnection } from "../../../src/link/open.ts";
import { createFrameDecoder } from "../../../protocol/wire/decoder.ts";
import { LinkError } from "../../../protocol/wire/errors.ts";
import type { Random } from "../../helpers/random.ts";
import { frameBytes } from "../../helpers/frame-bytes.ts";
import { mutatedSessions, piecesOf, recordedBy, type Recorded } from "../frames.ts";
import { Finding, inTime, turns, type Target } from "../target.ts";

/** Exchanges that are open on a connection; a recorded frame's id is one of these names until the real one is known. */
const OPEN = 4;
/** The links of a process share it. */
const intake = createIntake();
const nameOf = (index: number) => `00000000000000000000000000000${100 + index}`;

/** The guest's mode of an input's first byte: from the first byte on, or after a hello of protocol 1 or 2 that went well. */
const RAW = 0;

/** The host's side of the link: a guest's frames reach the exchange that they name and no other, and every exchange ends. */
export const framesToHost: Target = {
  name: "frames-to-host",
  weight: 2,
  async open() {
    const sessions = recordedBy("guest").map((frames) => named(frames));
    const all = sessions.flat();
    return {
      make: (random) => makeInput(sessions, all, random),
      run: (input) => attack(input[0] as number, input.subarray(1)),
      close: async () => {},
    };
  },
};

function makeInput(sessions: readonly Recorded[][], all: readonly Recorded[], random: Random): Buffer {
  const mode = random.chance(0.1) ? RAW : 1 + random.below(2);
  return Buffer.concat([Buffer.from([mode]), mutatedSessions(sessions, random, all)]);
}

/** Recorded frames under the names of the exchanges that will be open, in the order in which ids appear. */
function named(frames: readonly Recorded[]): Recorded[] {
  const names = new Map<string, string>([["", ""]]);
  return frames.map((frame) => {
    if (!names.has(frame.id)) names.set(frame.id, nameOf((names.size - 1) % OPEN));
    return { ...frame, id: names.get(frame.id) ?? "" };
  });
}

async function attack(mode: number, bytes: Buffer): Promise<number> {
  const [near, far] = duplexPair();
  const guest = watchGuest(far);
  const opening = openConnection(
    near,
    { token: "", agentId: "a", pingMs: 3_000, silenceMs: 60_000, intake, onHeartbeat: () => {} },
    AbortSignal.timeout(20_000),
  );
  opening.catch(() => {});
  if (mode !== RAW) greet(far, mode === 1 ? 1 : 2);
  else for (const piece of piecesOf(bytes)) far.write(piece);
  if (mode === RAW) {
    await turns(3);
    far.destroy();
    near.destroy();
    await inTime("the end of a hello", settled(opening));
    return guest.count();
  }
  return converse(await inTime("a hello", opening), far, guest, bytes);
}

async function converse(connection: Connection, far: Duplex, guest: Guest, bytes: Buffer): Promise<number> {
  const signal = new AbortController().signal;
  const exchanges: Exchange[] = [];
  for (let i = 0; i < OPEN; i++)
    exchanges.push(await connection.open(i === 3 ? "cancel" : "message", { content: "x" }, signal));
  let read = 0;
  const readers = exchanges.map(async (exchange) => {
    for (;;) {
      const frames = await exchange.take();
      if (frames === undefined) return;
      for (const frame of frames) {
        read++;
        if (frame.id !== exchange.id) throw new Finding(`a frame of ${frame.id} reached ${exchange.id}`);
      }
    }
  });
  const ended = Promise.allSettled(readers);
  await turns(2);
  const real = withIds(
    bytes,
    exchanges.map(({ id }) => id),
  );
  for (const piece of piecesOf(real)) far.write(piece);
  await turns(3);
  far.end(frameBytes("ping", "p", {}));
  await turns(2);
  connection.close(new LinkError("closed", "the input is over"));
  far.destroy();
  const ends = await inTime("the end of an exchange", ended);
  for (const end of ends)
    if (end.status === "rejected" && !(end.reason instanceof LinkError)) throw end.reason;
  return Math.max(1, read + connection.dropped + guest.count());
}

/** The bytes with the names of exchanges replaced by their ids, which are as long. */
function withIds(bytes: Buffer, ids: readonly string[]): Buffer {
  const real = Buffer.from(bytes);
  ids.forEach((id, index) => {
    const name = nameOf(index);
    for (let at = real.indexOf(name); at >= 0; at = real.indexOf(name, at + name.length))
      real.write(id, at, "latin1");
  });
  return real;
}

interface Guest {
  /** Frames that the host has sent. */
  count(): number;
}

/** Reads what the host says; a host's frame that can't be read is a finding. */
function watchGuest(far: Duplex): Guest {
  let count = 0;
  const decoder = createFrameDecoder(() => count++);
  far.on("data", (bytes: Buffer) => decoder.push(bytes));
  far.on("error", () => {}); // the host may close at any time
  return { count: () => count };
}

function greet(far: Duplex, protocol: 1 | 2): void {
  const mine = protocol === 1 ? {} : { protocol };
  far.write(frameBytes("heartbeat", "", { status: "ready", uptime_secs: 0, ...mine }));
  if (protocol === 2)
    far.write(
      frameBytes("heartbeat", "", {
        status: "ready",
        uptime_secs: 1,
        protocol,
        boot_id: "b1",
        config_revision: 0,
      }),
    );
}

/** Resolves when it has; a rejection that is no LinkError is passed on. */
async function settled(opening: Promise<Connection>): Promise<void> {
  try {
    (await opening).close(new LinkError("closed", "the input is over"));
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
  }
}
