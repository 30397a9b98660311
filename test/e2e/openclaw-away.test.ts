import { ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { freePort } from "../helpers/ports.ts";
import { startStack, startTestAgent } from "./stack.ts";

describe("an agent whose OpenClaw does not answer", () => {
  it("turns messages away with an error that names the cause", async () => {
    const stack = await startStack({ proxy: { config_timeout: 1 } });
    const agent = await startTestAgent("lonely", `http://127.0.0.1:${await freePort()}`);
    await stack.registry.createAgent({ agent: { id: "lonely", address: agent.address } });
    const ask = async () => {
      const call = stack.proxy.sendMessage({ agentId: "lonely", message: { content: "hello" } });
      return ConnectError.from(await call.catch((reason: unknown) => reason));
    };
    await expect.poll(async () => (await ask()).rawMessage, { timeout: 20_000 }).toMatch(/OpenClaw is down/);
    expect((await ask()).findDetails(ErrorInfoSchema)[0]?.reason).toBe("CONFIG_PENDING");
    const status = await stack.proxy.getAgentStatus({ agentId: "lonely" });
    expect(status).toMatchObject({ connected: true, openclaw: "down", observedRevision: 0 });
  });
});
