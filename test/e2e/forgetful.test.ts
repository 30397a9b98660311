import { describe, expect, it, onTestFinished } from "vitest";
import { localCaller } from "../../src/core/access/authorize.ts";
import { ValinorError } from "../../src/core/errors.ts";
import { startModel } from "../agent/fake-model.ts";
import { message, startWorld, type World } from "../core/world.ts";
import { startAgentProcess } from "../helpers/process.ts";

const forever = new AbortController().signal;
const pay = message("a", "pay 100", { requestId: "pay-1" });
const send = (world: World) => world.core.send(localCaller, pay, forever);
const reasonOf = (thrown: unknown) => (thrown instanceof ValinorError ? thrown.reason : thrown);

/** A control plane, an agent process that remembers in memory alone, and a request that it has answered. */
async function answered() {
  const model = await startModel();
  onTestFinished(() => model.close());
  const world = await startWorld();
  const start = (port: number) =>
    startAgentProcess({ openclawUrl: model.url, agentId: "a", port, args: ["--state-dir", "none"] });
  const agent = await start(0);
  await world.add("a", agent.address);
  const answer = send(world);
  const call = await model.next();
  call.text("paid");
  call.finish();
  expect(await answer).toMatchObject({ content: "paid", resumable: true });
  expect((await world.core.status(localCaller, "a")).remembers).toBe("memory");
  return { model, world, agent, restart: () => start(Number(agent.address.split(":").at(-1))) };
}

describe("an agent that remembers in memory alone, and was killed", () => {
  it("does not run a request again that this control plane has seen: RUN_LOST", async () => {
    const { model, world, agent, restart } = await answered();
    agent.kill("SIGKILL");
    await agent.exited;
    await restart();
    expect(await send(world).catch(reasonOf)).toBe("RUN_LOST");
    expect(await send(world).catch(reasonOf)).toBe("RUN_LOST");
    expect(model.calls).toBe(1);
  });

  it("runs it again for a control plane that has not, as is not promised otherwise", async () => {
    const { model, agent, restart } = await answered();
    agent.kill("SIGKILL");
    await agent.exited;
    const { address } = await restart();
    const other = await startWorld();
    await other.add("a", address);
    const again = send(other);
    (await model.next()).finish();
    await again;
    expect(model.calls).toBe(2);
  });
});
