import { appendFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { open as openFile } from "node:fs/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openLedger } from "../../agent/ledger.ts";
import { createLog } from "../../agent/log.ts";
import { type Bounds, defaultBounds } from "../../agent/bounds.ts";
import { textOf } from "./fake-host.ts";
import { startModel } from "./fake-model.ts";
import { launch, letIn, setup, temporaryDir, userSays } from "./setup.ts";

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

  it("is the same where only the link's own keys and the order of keys differ", async () => {
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
    expect(readFileSync(join(stateDir, "ledger.jsonl"), "utf8")).toContain(`"requestId":"r"`);
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
  async function open(dir: string, bounds: Partial<Bounds> = {}) {
    const ledger = await openLedger(dir, { ...defaultBounds, ...bounds }, log);
    onTestFinished(() => ledger.close());
    return ledger;
  }
  const entry = (requestId: string, at = Date.now()) => ({ requestId, hash: "h", bootId: "b", at });

  it("reads what was written, and skips a torn last line", async () => {
    const dir = temporaryDir();
    const first = await open(dir);
    await first.record(entry("one"));
    await first.record(entry("two"));
    await first.close();
    appendFileSync(join(dir, "ledger.jsonl"), `{"requestId":"three","ha`);
    const second = await open(dir);
    expect(second.find("one")).toMatchObject({ hash: "h", bootId: "b" });
    expect(second.find("two")).toBeDefined();
    expect(second.find("three")).toBeUndefined();
    await second.record(entry("four"));
    await second.close();
    expect((await open(dir)).find("four")).toBeDefined();
  });

  it("forgets by age and by number, the oldest first", async () => {
    const dir = temporaryDir();
    const ledger = await open(dir, { ledgerEntries: 2 });
    await ledger.record(entry("old", Date.now() - defaultBounds.ledgerKeepMs - 1));
    ledger.sweep(Date.now());
    expect(ledger.find("old")).toBeUndefined();
    for (const id of ["one", "two", "three"]) await ledger.record(entry(id));
    expect(ledger.find("one")).toBeUndefined();
    expect(ledger.find("three")).toBeDefined();
    await ledger.close();
    const again = await open(dir, { ledgerEntries: 2 });
    expect([again.find("one"), again.find("two")?.requestId]).toEqual([undefined, "two"]);
  });

  it("does not grow for ever", async () => {
    const dir = temporaryDir();
    const ledger = await open(dir, { ledgerEntries: 10 });
    for (let i = 0; i < 3; i++) {
      await Promise.all(Array.from({ length: 1_000 }, (_, n) => ledger.record(entry(`${i}-${n}`))));
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

  it("cannot be opened where its directory is a file", async () => {
    const dir = join(temporaryDir(), "file");
    writeFileSync(dir, "");
    await expect(open(dir)).rejects.toThrow("EEXIST");
  });
});
