import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { dial } from "../../../protocol/transport/dial.ts";
import { LendingSocket, WideReads } from "../../../protocol/transport/lending-socket.ts";
import { limits } from "../../../protocol/wire/limits.ts";
import { isLender } from "../../../protocol/wire/reader.ts";
import { afterFile, tempDir } from "../../helpers/cleanup.ts";
import { until } from "../../link/fake-guest.ts";

const never = new AbortController().signal;

/** Both ends of a connection over TCP or a Unix socket; the near one was dialled. */
async function pair(kind: "tcp" | "unix"): Promise<{ near: LendingSocket; far: Socket }> {
  const server = createServer();
  const path = `${tempDir()}/s.sock`;
  if (kind === "tcp") server.listen(0, "127.0.0.1");
  else server.listen(path);
  await once(server, "listening");
  afterFile(() => void server.close());
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const address =
    kind === "tcp"
      ? { kind, host: "127.0.0.1", port: (server.address() as AddressInfo).port }
      : { kind, path };
  const near = await dial(address, never);
  const [far] = await accepted;
  afterFile(() => {
    near.destroy();
    far.destroy();
  });
  if (!(near instanceof LendingSocket)) throw new Error("what was dialled does not lend");
  return { near, far };
}

const text = (length: number, from: number) =>
  Buffer.from(Array.from({ length }, (_, i) => 0x61 + ((from + i) % 26)));

describe.each(["tcp", "unix"] as const)("a socket that was dialled over %s", (kind) => {
  test("lends every read in the same memory, in order", async () => {
    const { near, far } = await pair(kind);
    const memories = new Set<ArrayBufferLike>();
    let heard = "";
    near.lend((bytes) => {
      memories.add(bytes.buffer);
      heard += bytes.toString("latin1");
      return true;
    });
    const sent = text(1_000_000, 0);
    far.write(sent);
    await until("all of it has come", () => heard.length === sent.length);
    expect(heard).toBe(sent.toString());
    expect(memories.size).toBe(1);
  });

  test("is not read on before it is asked to, and holds nothing meanwhile", async () => {
    const { near, far } = await pair(kind);
    let heard = "";
    let reads = 0;
    near.lend((bytes) => {
      reads++;
      heard += bytes.toString("latin1");
      return false;
    });
    const sent = text(300_000, 0);
    far.write(sent);
    while (heard.length < sent.length) {
      const before = reads;
      await until("a read has come", () => reads > before || heard.length === sent.length);
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
      expect(reads).toBe(before + 1);
      expect(near.readableLength).toBe(0);
      near.resume();
    }
    expect(heard).toBe(sent.toString());
  });

  test("hands over as a stream what came before, and ends as a stream", async () => {
    const { near, far } = await pair(kind);
    far.write("early ");
    await until("it has come", () => near.readableLength > 0);
    const heard: string[] = [];
    near.on("data", (bytes: Buffer) => heard.push(`data ${bytes.toString()}`));
    near.on("end", () => heard.push("end"));
    near.lend((bytes) => heard.push(`lent ${bytes.toString()}`) > 0);
    await until("it was handed over", () => heard.length > 0);
    far.end("late");
    await until("it has ended", () => heard.includes("end"));
    expect(heard).toEqual(["data early ", "lent late", "end"]);
  });
});

test("sockets take small reads until one was filled, large ones then, and no more of them than may at once", async () => {
  const wideReads = new WideReads(1);
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  afterFile(() => void server.close());
  const open = async () => {
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const near = new LendingSocket({}, wideReads);
    near.connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [far] = await accepted;
    const sizes: number[] = [];
    near.on("error", () => {}).lend((bytes) => sizes.push(bytes.length) < 0);
    near.resume();
    afterFile(() => {
      near.destroy();
      far.destroy();
    });
    /** Sizes of the reads that so many bytes are, each asked for. */
    const reads = async (bytes: number) => {
      sizes.length = 0;
      far.write(Buffer.alloc(bytes));
      const came = () => sizes.reduce((sum, size) => sum + size, 0);
      await until("some came", () => sizes.length > 0);
      while (came() < bytes) {
        const { length } = sizes;
        // All that was written is there by now.
        await new Promise((resolve) => {
          setTimeout(resolve, 20);
        });
        near.resume();
        await until("more came", () => sizes.length > length);
      }
      near.resume();
      return [...sizes];
    };
    return { near, reads };
  };
  const [first, second] = [await open(), await open()];
  const [NARROW, WIDE] = [limits.readNarrowBytes, limits.readWideBytes];
  expect(await first.reads(100)).toEqual([100]);
  expect(await first.reads(NARROW + WIDE)).toEqual([NARROW, WIDE]);
  expect(await second.reads(3 * NARROW)).toEqual([NARROW, NARROW, NARROW]);
  expect(await first.reads(WIDE)).toEqual([WIDE]);
  expect(await first.reads(100)).toEqual([100]);
  expect(await first.reads(NARROW)).toEqual([NARROW]);
  // That one may take the large read now; when it is gone the other one may.
  first.near.destroy();
  expect(await second.reads(NARROW + WIDE)).toEqual([NARROW, WIDE]);
});

test("a stream that hands over memory of its own does not lend", () => {
  expect(isLender(new LendingSocket())).toBe(true);
  expect(isLender(process.stdin)).toBe(false);
});
