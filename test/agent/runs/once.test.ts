import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { open as openFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { digestOfHash, digestOfName } from "../../../agent/runs/ledger-entries.ts";
import { createLog } from "../../../agent/log.ts";
import { type Bounds, defaultBounds } from "../../../agent/bounds.ts";
import { textOf } from "../fake-host.ts";
import { startModel } from "../fake-model.ts";
import { openLedger } from "./open-ledger.ts";
import { launch, letIn, setup, temporaryDir, userSays } from "../setup.ts";

const says = (text: string, more: object = {}) => userSays(text, { request_id: "r", ...more });

describe("the same request twice", () => {
  it.each(["in memory", "on disk"])("calls the model once, even at once on two links (%s)", async (where) => {
    const { host, model, connect } = await setup(where === "on disk" ? { stateDir: temporaryDir() } : {});
    const other = await connect();
    const exchanges = [host.message(says("hi")), host.message(says("hi")), other.message(says("hi"))];
    const call = await model.next();
    call.text("a");
    call.finish();
    const opened = await Promise.all(exchanges.map((exchange) => exchange.next("opened")));
    expect(opened.filter(({ attached }) => attached === false)).toHaveLength(1);
    for (const exchange of exchanges) expect(textOf(await exchange.rest())).toBe("a");
    expect(model.calls).toBe(1);
  });

  it("is the same if only the link's own keys and the order of keys differ", async () => {
    const { host, model } = await setup();
    host.message({ role: "user", content: "hi", request_id: "r", extra: { a: 1, b: 2 }, credit: 9e6 });
    await model.next();
    const retry = host.message({
      extra: { b: 2, a: 1 },
      min_config_revision: 0,
      request_id: "r",
      content: "hi",
      role: "user",
      on_disconnect: "continue",
      conversation_id: "c",
    });
    expect(await retry.next("opened")).toMatchObject({ attached: true });
  });

  it.each([
    ["text", says("other")],
    ["role", { role: "tool", content: "hi", request_id: "r" }],
    ["key", says("hi", { extra: 1 })],
  ])("is refused with another %s", async (_, payload) => {
    const { host, model } = await setup();
    host.message(says("hi"));
    await model.next();
    const error = await host.message(payload).next("error");
    expect(error).toEqual({ code: "request_id_reused", message: expect.any(String) });
    expect(model.calls).toBe(1);
  });
});

describe("after a restart with a state directory", () => {
  it("a request that was taken is lost and does not run again", async () => {
    const model = await startModel();
    onTestFinished(() => model.close());
    const stateDir = temporaryDir();
    const before = await launch(model, { stateDir });
    const exchange = (await letIn(before)).message(says("hi"));
    await model.next();
    await exchange.next("opened");
    before.kill();

    const after = await launch(model, { stateDir });
    expect(after.bootId).not.toBe(before.bootId);
    const host = await letIn(after);
    expect(await host.message(says("hi")).next("error")).toMatchObject({ code: "run_lost" });
    expect(await host.message(says("other")).next("error")).toMatchObject({ code: "request_id_reused" });
    const attached = host.message({ role: "", content: "", request_id: "r", after_sequence: 3 });
    expect(await attached.next("error")).toMatchObject({ code: "run_lost" });
    expect(model.calls).toBe(1);
  });

  it("without one it is unknown again", async () => {
    const model = await startModel();
    onTestFinished(() => model.close());
    const before = await launch(model);
    (await letIn(before)).message(says("hi"));
    await model.next();
    before.kill();
    const host = await letIn(await launch(model));
    const attached = host.message({ role: "", content: "", request_id: "r" });
    expect(await attached.next("error")).toMatchObject({ code: "run_unknown" });
  });
});

describe("a ledger that cannot be written", () => {
  it("refuses the message with internal, does not call the model, and takes it later", async () => {
    const stateDir = temporaryDir();
    const { host, model, agent } = await setup({ stateDir });
    const { restore } = await breakLedger(stateDir);
    const exchange = host.message(says("hi"));
    expect(await exchange.next("error")).toEqual({ code: "internal", message: expect.any(String) });
    expect(model.calls).toBe(0);
    restore();
    const again = host.message(says("hi"));
    expect(await again.next("opened")).toMatchObject({ boot_id: agent.bootId, attached: false });
    (await model.next()).finish();
    await again.rest();
    expect(readFileSync(join(stateDir, "ledger.jsonl"), "utf8")).toContain(`"k":"${digestOfName("r")}"`);
  });
});

/** Makes the next write of the ledger fail until `restore`. */
async function breakLedger(stateDir: string): Promise<{ restore: () => void }> {
  const handle = await openFile(join(stateDir, "ledger.jsonl"), "r");
  const proto = Object.getPrototypeOf(handle) as { datasync: () => Promise<void> };
  await handle.close();
  const failing = vi.spyOn(proto, "datasync").mockRejectedValue(new Error("ENOSPC"));
  return { restore: () => failing.mockRestore() };
}

describe("the ledger", () => {
  const log = createLog(() => {});
  async function open(dir: string, bounds: Partial<Bounds> = {}, now?: () => number) {
    const ledger = await openLedger(dir, { ...defaultBounds, ...bounds }, log, now);
    onTestFinished(() => ledger.close());
    return ledger;
  }
  const HASH = "ab".repeat(32);

  it("reads what was written, and skips a torn last line", async () => {
    const dir = temporaryDir();
    const first = await open(dir);
    await first.record("one", HASH);
    await first.record("two", HASH);
    expect(first.find("one")).toEqual({ digest: digestOfHash(HASH), own: true });
    await first.close();
    appendFileSync(join(dir, "ledger.jsonl"), `{"at":1,"k":"${digestOfName("three")}","h":"ha`);
    const second = await open(dir);
    expect(second.find("one")).toEqual({ digest: digestOfHash(HASH), own: false });
    expect(second.find("two")).toBeDefined();
    expect(second.find("three")).toBeUndefined();
    await second.record("four", HASH);
    await second.close();
    expect((await open(dir)).find("four")).toBeDefined();
  });

  it("reads what version 0.1 wrote, whatever time of day that was", async () => {
    const dir = temporaryDir();
    const line = (at: number, requestId: string) =>
      `${JSON.stringify({ requestId, hash: HASH, bootId: "b", at })}\n`;
    const lines = [line(Date.now() - 9e8, "three days early"), line(Date.now(), "new"), line(9e15, "late")];
    writeFileSync(join(dir, "ledger.jsonl"), lines.join(""));
    const ledger = await open(dir);
    for (const id of ["three days early", "new", "late"]) {
      expect(ledger.find(id)).toEqual({ digest: digestOfHash(HASH), own: false });
    }
  });

  it("forgets after 24 hours in which an agent ran, however often it was started", async () => {
    const dir = temporaryDir();
    const HOUR = 3_600_000;
    let time = 5 * HOUR;
    const now = () => time;
    let ledger = await open(dir, {}, now);
    await ledger.record("old", HASH);
    for (let starts = 0; starts < 3; starts++) {
      time += 7 * HOUR;
      await ledger.record(`after ${starts}`, HASH);
      await ledger.close();
      time += 1_000 * HOUR; // nothing runs: nothing ages
      ledger = await open(dir, {}, now);
      expect(ledger.find("old")).toBeDefined();
    }
    time += 2 * HOUR;
    ledger.sweep();
    expect(ledger.find("old")).toBeDefined();
    time += 2 * HOUR;
    ledger.sweep();
    expect(ledger.find("old")).toBeUndefined();
    expect(ledger.find("after 0")).toBeDefined();
  });

  it("forgets the oldest if it is full, and says so", async () => {
    const dir = temporaryDir();
    const lines: string[] = [];
    const bounds = { ...defaultBounds, ledgerEntries: 2 };
    const ledger = await openLedger(
      dir,
      bounds,
      createLog((line) => lines.push(line)),
    );
    for (const id of ["one", "two", "three"]) await ledger.record(id, HASH);
    expect(ledger.find("one")).toBeUndefined();
    expect(ledger.find("three")).toBeDefined();
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { level: "warn", event: "ledger_full", entries: 2, forgotten: 1 },
    ]);
    await ledger.close();
    const again = await open(dir, { ledgerEntries: 2 });
    expect([again.find("one"), again.find("two") === undefined]).toEqual([undefined, false]);
  });

  it("remembers 100,000 requests, in memory and after a restart", async () => {
    const dir = temporaryDir();
    const looked = new Set([99, 100, 22_000, 100_099]);
    const nameOf = (n: number) => (looked.has(n) ? digestOfName(`r${n}`) : String(n).padStart(22, "n"));
    const h = digestOfHash(HASH);
    const text = Array.from({ length: 100_100 }, (_, n) => `{"at":${n},"k":"${nameOf(n)}","h":"${h}"}\n`);
    writeFileSync(join(dir, "ledger.jsonl"), text.join(""));
    const ledger = await open(dir);
    expect(ledger.find("r99")).toBeUndefined();
    for (const n of [100, 22_000, 100_099]) expect(ledger.find(`r${n}`)).toBeDefined();
    await ledger.record("another", HASH);
    expect(ledger.find("r100")).toBeUndefined();
    await ledger.close();
    expect(statSync(join(dir, "ledger.jsonl")).size).toBeLessThan(9e6);
  });

  it("does not grow for ever", async () => {
    const dir = temporaryDir();
    const ledger = await open(dir, { ledgerEntries: 10 });
    for (let i = 0; i < 3; i++) {
      await Promise.all(Array.from({ length: 1_000 }, (_, n) => ledger.record(`${i}-${n}`, HASH)));
    }
    await ledger.close();
    expect(readFileSync(join(dir, "ledger.jsonl"), "utf8").split("\n").length).toBeLessThan(2_100);
    expect((await open(dir, { ledgerEntries: 10 })).find("2-999")).toBeDefined();
  });

  it("is readable by its owner alone", async () => {
    const dir = join(temporaryDir(), "made");
    const ledger = await open(dir);
    await ledger.close();
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, "ledger.jsonl")).mode & 0o777).toBe(0o600);
  });

  it("cannot be opened if its directory is a file", async () => {
    const dir = join(temporaryDir(), "file");
    writeFileSync(dir, "");
    await expect(open(dir)).rejects.toThrow("EEXIST");
  });
});
