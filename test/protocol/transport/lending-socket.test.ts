import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { describe, expect, test } from "vitest";
import { dial } from "../../../protocol/transport/dial.ts";
import { LendingSocket } from "../../../protocol/transport/lending-socket.ts";
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

test("a stream that hands over memory of its own does not lend", () => {
  expect(isLender(new LendingSocket())).toBe(true);
  expect(isLender(process.stdin)).toBe(false);
});
