import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { startAgentProcess } from "../../helpers/process.ts";
import { connectHost, type FakeHost, textOf } from "../fake-host.ts";
import { type FakeModel, startModel } from "../fake-model.ts";
import { eventually, launch, letIn, setup, temporaryDir, userSays } from "../setup.ts";

const DAY = 86_400_000;
const MINUTE = 60_000;
const pay = userSays("pay 100", { request_id: "pay-1" });

/** Sends the payment and has the model answer it. */
async function answered(host: FakeHost, model: FakeModel): Promise<void> {
  const exchange = host.message(pay);
  const call = await model.next();
  call.text("paid");
  call.finish();
  expect(textOf(await exchange.rest())).toBe("paid");
}

const steps: [string, number][] = [
  ["3 days ahead", 3 * DAY],
  ["11 minutes ahead", 11 * MINUTE],
  ["11 minutes back", -11 * MINUTE],
  ["3 days back", -3 * DAY],
];

describe("a guest whose wall clock is set", () => {
  // Only the wall clock: the monotonic one and the timers stay what they are, as in a guest whose date is set.
  beforeEach(() => vi.useFakeTimers({ toFake: ["Date"] }));
  afterEach(() => vi.useRealTimers());

  describe.each(["without a state directory", "with one"])("%s", (where) => {
    const options = () => (where === "with one" ? { stateDir: temporaryDir() } : {});

    it.each(steps)("%s: the same request reads its answer again, and calls no model", async (_, step) => {
      const { host, model } = await setup({ ...options(), bounds: { tickMs: 5 } });
      await answered(host, model);
      vi.setSystemTime(Date.now() + step);
      // Many looks at the clock: nothing is forgotten, and the link stays.
      for (let n = 0; n < 20; n++) await host.ask("ping", {});
      const again = host.message(pay);
      expect(await again.next("opened")).toMatchObject({ attached: true });
      expect(textOf(await again.rest())).toBe("paid");
      expect(model.calls).toBe(1);
    });

    it.each(steps)("%s while the model answers: the run goes on", async (_, step) => {
      const { host, model } = await setup({ ...options(), bounds: { tickMs: 5 } });
      const exchange = host.message(pay);
      const call = await model.next();
      call.text("pa");
      await exchange.next("opened");
      await exchange.next("chunk");
      vi.setSystemTime(Date.now() + step);
      for (let n = 0; n < 20; n++) await host.ask("ping", {});
      call.text("id");
      call.finish();
      expect(textOf(await exchange.rest())).toBe("id");
      expect(model.calls).toBe(1);
    });
  });

  it.each(steps)("%s over a restart: the request is lost, and does not run again", async (_, step) => {
    const model = await startModel();
    onTestFinished(() => model.close());
    const stateDir = temporaryDir();
    const before = await launch(model, { stateDir });
    await answered(await letIn(before), model);
    await before.close();
    vi.setSystemTime(Date.now() + step);
    for (let starts = 0; starts < 2; starts++) {
      const after = await launch(model, { stateDir });
      const host = await letIn(after);
      expect(await host.message(pay).next("error")).toMatchObject({ code: "run_lost" });
      await after.close();
    }
    expect(model.calls).toBe(1);
  });
});

describe("an agent process that was started three days behind", () => {
  it("runs a request once, before and after its clock is set right, and after a restart", async () => {
    const model = await startModel();
    onTestFinished(() => model.close());
    const clock = join(temporaryDir(), "offset");
    const stateDir = temporaryDir();
    writeFileSync(clock, String(-3 * DAY));
    const preload = new URL("../../helpers/stepped-clock.mjs", import.meta.url).href;
    const env = { NODE_OPTIONS: `--import ${preload}`, STEPPED_CLOCK: clock };
    const start = () => startAgentProcess({ openclawUrl: model.url, stateDir, env });
    const connect = async (address: string) => {
      const host = await connectHost(address);
      onTestFinished(() => host.close());
      await host.link.take();
      await host.greet();
      return host;
    };

    const agent = await start();
    const behind = new Date(Date.now() - 3 * DAY).toISOString().slice(0, 10);
    await agent.waitFor(new RegExp(`"time":"${behind}`), { of: "stderr" });
    const host = await connect(agent.address);
    await answered(host, model);
    writeFileSync(clock, "0");
    // Its bounds on time are looked at every second.
    const began = performance.now();
    await eventually(() => performance.now() - began > 1_500);
    const again = host.message(pay);
    expect(textOf(await again.rest())).toBe("paid");
    agent.kill("SIGKILL");
    await agent.exited;

    const next = await start();
    const other = await connect(next.address);
    expect(await other.message(pay).next("error")).toMatchObject({ code: "run_lost" });
    expect(model.calls).toBe(1);
  });
});
