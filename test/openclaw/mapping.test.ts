import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { SeenRequest } from "../../dev/model/request.ts";
import { rpcFailureOf } from "../helpers/failures.ts";
import { missing, type RealStack, startRealStack } from "./stack.ts";

let stack: RealStack;

/** The latest request that OpenClaw made of the model. */
function lastRequest(): SeenRequest {
  const request = stack.model.requests.at(-1);
  if (request === undefined) throw new Error("the model was not asked");
  return request;
}

/** What stands in OpenClaw's own configuration file. */
function written(): { tools: { allow?: string[]; deny?: string[] }; primary: string } {
  const { tools, agents } = JSON.parse(readFileSync(stack.gateway.configPath, "utf8")) as {
    tools: { allow?: string[]; deny?: string[] };
    agents: { defaults: { model: { primary: string } } };
  };
  return { tools, primary: agents.defaults.model.primary };
}

const APPLIED = { applied: true, reason: "" };

describe.skipIf(missing() !== undefined)("a real OpenClaw", () => {
  beforeAll(async () => {
    stack = await startRealStack();
    // What its first run loads takes seconds.
    await stack.say("!echo ready");
  });

  describe("a config's model", () => {
    it("is the one that answers and OpenClaw's default, and without one OpenClaw's own is back", async () => {
      expect(await stack.push({ model: "scripted/other" })).toEqual(APPLIED);
      expect(await stack.say("!echo one")).toBe("one");
      expect(lastRequest().model).toBe("other");
      expect(written().primary).toBe("scripted/other");
      expect(await stack.push({})).toEqual(APPLIED);
      expect(await stack.say("!echo two")).toBe("two");
      expect(lastRequest().model).toBe("own");
      expect(written().primary).toBe("scripted/own");
    });

    it("that OpenClaw does not have is refused, and messages with it", async () => {
      const refused = await stack.push({ model: "scripted/nope" });
      expect(refused).toEqual({
        applied: false,
        reason: expect.stringContaining("OpenClaw has no model scripted/nope"),
      });
      const calls = stack.model.calls;
      expect(await rpcFailureOf(stack.say("hello"))).toMatchObject({ reason: "CONFIG_REJECTED" });
      expect(stack.model.calls).toBe(calls);
      expect(await stack.push({})).toEqual(APPLIED);
    });

    it("goes with its parameters to the model that answers", async () => {
      await stack.push({ system_prompt: "Talk like a pirate." });
      await stack.say("!echo x");
      const [system] = lastRequest().messages;
      expect(system).toMatchObject({ role: "system", text: expect.stringContaining("Talk like a pirate.") });
    });
  });

  describe("a tool policy", () => {
    it("of every tool offers OpenClaw's own and lets them run", async () => {
      expect(await stack.push({})).toEqual(APPLIED);
      expect(await stack.say('!tool exec {"command":"echo from-a-tool"}')).toContain("from-a-tool");
      expect(lastRequest().tools).toEqual(expect.arrayContaining(["read", "write", "exec", "web_fetch"]));
      expect(written().tools).not.toHaveProperty("allow");
      expect(written().tools).not.toHaveProperty("deny");
    });

    it("that lists some offers those alone", async () => {
      expect(await stack.push({}, ["read", "exec"])).toEqual(APPLIED);
      expect(await stack.say('!tool exec {"command":"echo from-a-tool"}')).toContain("from-a-tool");
      expect(lastRequest().tools.toSorted()).toEqual(["exec", "read"]);
    });

    it("that lists none offers none", async () => {
      expect(await stack.push({}, [])).toEqual(APPLIED);
      expect(await stack.say("!echo no tools")).toBe("no tools");
      expect(lastRequest().tools).toEqual([]);
      expect(written().tools).toMatchObject({ deny: ["*"] });
    });

    it("with a name that OpenClaw does not have is refused, alone or among others", async () => {
      for (const tools of [["no_such_tool"], ["read", "no_such_tool"]]) {
        expect(await stack.push({}, tools)).toEqual({
          applied: false,
          reason: expect.stringContaining("OpenClaw has no tool no_such_tool"),
        });
      }
      expect(await stack.push({})).toEqual(APPLIED);
    });

    it.each([
      ["that is not listed", ["read"], "exec"],
      ["if none is", [], "exec"],
      ["that OpenClaw does not even have", ["read"], "get_weather"],
    ])("ends a run whose model calls a tool %s as TOOL_BLOCKED, and nothing runs", async (_, tools, tool) => {
      expect(await stack.push({}, tools)).toEqual(APPLIED);
      const mark = join(stack.gateway.workspace, "mark");
      const call = `!tool ${tool} ${JSON.stringify({ command: `touch ${mark}` })}`;
      expect(await rpcFailureOf(stack.say(call))).toMatchObject({
        reason: "TOOL_BLOCKED",
        metadata: { tool },
      });
      expect(existsSync(mark)).toBe(false);
    });
  });

  describe("a conversation", () => {
    const texts = () =>
      lastRequest()
        .messages.map(({ text }) => text)
        .join("\n");

    it("is remembered by OpenClaw, of which only the new turn is asked", async () => {
      await stack.push({});
      await stack.say("!echo the first turn", "remembered");
      await stack.say("!echo the second turn", "remembered");
      expect(texts()).toContain("the first turn");
      const turns = lastRequest().messages.filter(({ role }) => role === "assistant");
      expect(turns).toMatchObject([{ text: "the first turn" }]);
    });

    it("is not another one whose id differs in case, nor a fresh one", async () => {
      await stack.push({});
      await stack.say("!echo a secret of C", "ctxC");
      for (const other of ["CTXC", "ctxc", "", "ctxD"]) {
        await stack.say("!echo hello", other);
        expect(texts()).not.toContain("secret of C");
      }
      await stack.say("!echo hello", "ctxC");
      expect(texts()).toContain("secret of C");
    });
  });

  describe("context", () => {
    it("is before the model on each turn, until it is taken away", async () => {
      await stack.push({});
      const { proxy } = stack;
      const system = () => lastRequest().messages.find(({ role }) => role === "system")?.text ?? "";
      await proxy.pushContext({ agentId: "demo", key: "b", context: "The door code is 4711." });
      await proxy.pushContext({ agentId: "demo", key: "a", context: "The user is called Ada." });
      for (const turn of ["one", "two"]) {
        await stack.say(`!echo ${turn}`, "with-context");
        expect(system()).toMatch(/The user is called Ada\.[^]*The door code is 4711\./);
      }
      await proxy.pushContext({ agentId: "demo", key: "a", context: "" });
      await proxy.pushContext({ agentId: "demo", key: "b", context: "" });
      await stack.say("!echo three", "with-context");
      expect(system()).not.toContain("Ada");
    });
  });
});
