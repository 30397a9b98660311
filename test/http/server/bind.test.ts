import { createServer, type AddressInfo } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createListener } from "../../../src/http/server/listener.ts";

/** Whether this machine has ::1. */
async function hasIpv6(): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", () => resolve(false));
    probe.listen(0, "::1", () => probe.close(() => resolve(true)));
  });
}

const ipv6 = await hasIpv6();

async function listen(host: string, port = 0) {
  const listener = createListener({ handler: (_req, res) => void res.writeHead(200).end("here") });
  const at = await listener.listen(host, port);
  onTestFinished(() => listener.close(0));
  return { ...at, listener };
}

const answerAt = async (host: string, port: number) => (await fetch(`http://${host}:${port}/`)).text();

describe.skipIf(!ipv6)(`localhost${ipv6 ? "" : " (skipped: this machine has no ::1)"}`, () => {
  it("is 127.0.0.1 and ::1, on one port", async () => {
    const { port, host, hosts } = await listen("localhost");
    expect([host, hosts]).toEqual(["127.0.0.1", ["127.0.0.1", "::1"]]);
    expect(await answerAt("127.0.0.1", port)).toBe("here");
    expect(await answerAt("[::1]", port)).toBe("here");
  });

  it("on a port that is taken at one of them is refused, and nothing is left open", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "::1", resolve));
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;
    await expect(listen("localhost", port)).rejects.toThrow("EADDRINUSE");
    const { host } = await listen("127.0.0.1", port);
    expect(host).toBe("127.0.0.1");
  });

  it("is left at both when the listener closes", async () => {
    const { port, listener } = await listen("LOCALHOST");
    expect(await answerAt("[::1]", port)).toBe("here");
    await listener.close(1_000);
    await expect(answerAt("[::1]", port)).rejects.toThrow("fetch failed");
    await expect(answerAt("127.0.0.1", port)).rejects.toThrow("fetch failed");
  });
});

it("an address is that address alone", async () => {
  expect((await listen("127.0.0.1")).hosts).toEqual(["127.0.0.1"]);
});

it("a name that has no address is refused by its name", async () => {
  await expect(listen("no-such-name.invalid")).rejects.toThrow("no-such-name.invalid");
});
