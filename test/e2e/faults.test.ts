import { randomUUID } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { beforeEach, describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/ts/google/rpc/error_details_pb.ts";
import { AgentProxy, type StreamResponse } from "../../gen/ts/valinor/v1/agent_proxy_pb.ts";
import type { ScriptedModel } from "../../dev/model/scripted-model.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { freePort } from "../helpers/ports.ts";
import { type AgentProgram, type Program, spawnValinor, startAgentProcess } from "../helpers/process.ts";
import { collect, upTo } from "./collect.ts";

/** Control plane and agent as processes of their own, which a test may kill. */
let model: ScriptedModel;
let agent: AgentProgram;
let serve: Program;
let client: Client<typeof AgentProxy>;
let port: number;
let config: string;
const stateDir = tempDir();

async function startServe(): Promise<Program> {
  const program = spawnValinor(["serve", "--config", config, "--port", String(port)]);
  await program.waitFor(/listening/);
  return program;
}

async function startAgent(agentPort = 0): Promise<AgentProgram> {
  return startAgentProcess({ openclawUrl: model.url, agentId: "demo", port: agentPort, stateDir });
}

beforeEach(async () => {
  model = await startModel({ wordMs: 10, record: 1 });
  port = await freePort();
  agent = await startAgent();
  const dir = tempDir();
  config = join(dir, "valinor.yaml");
  const agents = `agents:\n  - id: demo\n    address: ${agent.address}\n`;
  writeFileSync(config, `proxy:\n  transport: tcp\nstore:\n  url: sqlite:${dir}/valinor.db\n${agents}`);
  serve = await startServe();
  client = createClient(
    AgentProxy,
    createConnectTransport({ baseUrl: `http://127.0.0.1:${port}`, httpVersion: "1.1" }),
  );
  return async () => {
    for (const program of [serve, agent]) program.kill("SIGKILL");
    await Promise.all([serve.exited, agent.exited]);
  };
});

describe("a control plane killed in the middle of a stream", () => {
  it.each([1, 20, 55])(
    "after %i events, and started again, goes on where the client stopped",
    async (killAt) => {
      // Two seconds more than have come by then: the process takes a while to end on a busy machine.
      const words = killAt + 100;
      const requestId = randomUUID();
      const seen: StreamResponse[] = [];
      const request = { agentId: "demo", requestId, message: { content: `!pace 20 !words ${words}` } };
      const first = collect(client.stream(request), (event) => {
        if (event.sequence > 0) seen.push(event);
        if (event.sequence === killAt) serve.kill("SIGKILL");
      });
      await expect(first).rejects.toThrow(ConnectError);
      await serve.exited;
      expect(model.active, "the model is still producing").toBe(1);

      serve = await startServe();
      const afterSequence = seen.at(-1)?.sequence ?? 0;
      const rest = await collect(client.stream({ agentId: "demo", requestId, afterSequence }), (event) => {
        if (event.sequence > 0) seen.push(event);
      });
      expect(rest.attached).toBe(true);
      expect(seen.map((event) => event.sequence)).toEqual(upTo(words + 1));
      const text = seen.map(({ event }) => (event.case === "textDelta" ? event.value.text : "")).join("");
      expect(text).toBe(
        upTo(words)
          .map((n) => `word${n}`)
          .join(" "),
      );
      expect(model.calls).toBe(1);
    },
  );

  it("answers a unary call sent again with the same request_id from the same run", async () => {
    const request = { agentId: "demo", requestId: randomUUID(), message: { content: "!pace 20 !words 40" } };
    const lost = client.sendMessage(request);
    await expect.poll(() => model.active).toBe(1);
    serve.kill("SIGKILL");
    await expect(lost).rejects.toThrow(ConnectError);
    serve = await startServe();
    expect((await client.sendMessage(request)).content).toContain("word40");
    expect(model.calls).toBe(1);
  });
});

describe("an agent restarted under load", () => {
  it("interrupts what was in flight, and the next request is answered under the same configuration and context", async () => {
    expect(await client.pushConfig({ agentId: "demo", config: { system_prompt: "be brief" } })).toMatchObject(
      { applied: true },
    );
    expect(await client.pushContext({ agentId: "demo", context: "the sky is green" })).toMatchObject({
      applied: true,
    });
    const ids = upTo(16).map(() => randomUUID());
    const flying = ids.map((requestId) =>
      collect(
        client.stream({ agentId: "demo", requestId, message: { content: "!pace 20 !words 3000" } }),
      ).then(
        () => undefined,
        (error: unknown) => ConnectError.from(error),
      ),
    );
    await expect.poll(() => model.active).toBe(16);
    agent.kill("SIGKILL");
    await agent.exited;
    const errors = await Promise.all(flying);
    for (const error of errors) {
      expect(error?.code).toBe(Code.Unavailable);
      expect(error?.findDetails(ErrorInfoSchema)[0]?.reason).toBe("RUN_INTERRUPTED");
    }

    agent = await startAgent(Number(new URL(agent.address.replace("tcp:", "http:")).port));
    await client.sendMessage({ agentId: "demo", message: { content: "hello" } });
    const instructed = { role: "system", text: "be brief\n\nthe sky is green" };
    expect(model.requests.at(-1)?.messages).toEqual([instructed, { role: "user", text: "hello" }]);
    const status = await client.getAgentStatus({ agentId: "demo" });
    expect(status).toMatchObject({ desiredRevision: 2, observedRevision: 2, configReason: "" });

    // What the old process had taken never runs again: it is said to be lost.
    const before = model.calls;
    const again = client.sendMessage({
      agentId: "demo",
      requestId: ids[0] ?? "",
      message: { content: "!pace 20 !words 3000" },
    });
    const error = ConnectError.from(await again.catch((reason: unknown) => reason));
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).toBe("RUN_LOST");
    expect(model.calls).toBe(before);
  });

  it("with SIGTERM lets its runs finish, and takes no new ones", async () => {
    const running = collect(client.stream({ agentId: "demo", message: { content: "!pace 20 !words 150" } }));
    await expect.poll(() => model.active).toBe(1);
    agent.kill("SIGTERM");
    await agent.waitFor(/draining/, { of: "stderr" });
    const hello = { agentId: "demo", message: { content: "hello" } };
    const refused = client.sendMessage(hello).then(
      () => undefined,
      (error: unknown) => ConnectError.from(error),
    );
    expect((await running).finishReason).toBe("stop");
    expect((await refused)?.code).toBe(Code.Unavailable);
    expect((await agent.exited).code).toBe(0);
  });
});
