import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ToolPolicy_Mode } from "../../../../gen/ts/valinor/v1/types_pb.ts";
import { send } from "../../../../cli/client/talk/send.ts";
import { startStack } from "../../../e2e/stack.ts";
import { startCuttingProxy } from "../../../clients/cutting-proxy.ts";
import { until } from "../../../helpers/until.ts";
import { onTerminal, start, startValinor, valinor } from "../run-command.ts";

const stack = await startStack({ model: { record: 10 } });

describe("valinor send", () => {
  it("prints the answer to an argument, and to stdin without its last newline", async () => {
    const [argument, piped] = await Promise.all([
      valinor(stack.url, ["send", "demo", "!echo hello you"]),
      valinor(stack.url, ["send", "demo", "-", "-o", "json"], { input: "!echo from a pipe\n" }),
    ]);
    expect(argument).toEqual({ code: 0, stdout: "hello you\n", stderr: "" });
    expect(piped.code).toBe(0);
    expect(JSON.parse(piped.stdout)).toMatchObject({
      content: "from a pipe",
      finish_reason: "stop",
      tool_calls: [],
    });
  });

  it("runs a message once under one request id, and refuses another message under it", async () => {
    const before = stack.model.calls;
    const again = () => valinor(stack.url, ["send", "demo", "!words 2", "--request-id", "once-1"]);
    expect(await again()).toMatchObject({ code: 0, stdout: "word1 word2\n" });
    expect(await again()).toMatchObject({ code: 0, stdout: "word1 word2\n" });
    expect(stack.model.calls).toBe(before + 1);
    const other = await valinor(stack.url, ["send", "demo", "other", "--request-id", "once-1"]);
    expect(other).toMatchObject({ code: 1, stdout: "" });
    expect(other.stderr).toMatch(/^valinor: .*\(REQUEST_ID_REUSED\)\n {2}Choose another --request-id\.\n$/);
  });

  it("gives agents' control characters to a pipe as they are, and to a terminal as signs", async () => {
    const message = "!echo a\u001b[31mb\u0007c";
    const [piped, shown] = await Promise.all([
      valinor(stack.url, ["send", "demo", message]),
      onTerminal(stack.url, ["send", "demo", message]).ended,
    ]);
    expect(piped.stdout).toBe("a\u001b[31mb\u0007c\n");
    expect(shown.stdout).toContain("a\u241b[31mb\u2407c");
    expect(shown.stdout).not.toContain("\u001b[31m");
  });

  it.each([
    ["an agent that there is not", "nobody", {}, 4, /AGENT_NOT_FOUND/],
    ["an id that is none", "../x", {}, 2, /INVALID_ARGUMENT/],
    ["a server that is no URL", "demo", { server: "nowhere" }, 2, /nowhere/],
    ["a server that is not there", "demo", { server: "http://127.0.0.1:1" }, 6, /nothing listens there/],
    ["a CA file that is not there", "demo", { caFile: "/nowhere.pem" }, 2, /nowhere\.pem/],
  ])("tells of %s, with its exit code", async (_name, agent, options, exitCode, text) => {
    const error = await send(agent, "hi", { server: stack.url, ...options }, {}).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ name: "CliError", exitCode, message: expect.stringMatching(text) });
  });

  it("refuses an API key with odd characters in it, and does not repeat it", async () => {
    const env = { VALINOR_API_KEY: "vlr_secret\nkey" };
    const error = await send("demo", "x", { server: stack.url }, env).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ exitCode: 2, message: expect.stringContaining("VALINOR_API_KEY") });
    expect(String(error)).not.toContain("secret");
  });
});

describe("valinor stream", () => {
  it("prints text as it comes, and client tools' calls on stderr", async () => {
    const running = startValinor(stack.url, ["stream", "demo", '!words 2 !tool search {"q":1}']);
    running.end();
    const ran = await running.ended;
    expect(ran).toMatchObject({ code: 0, stdout: "word1 word2\n" });
    expect(ran.stderr).toBe('[tool call] search {"q":1}\n');
  });

  it("tells of a tool that the policy blocks, with exit code 1", async () => {
    await stack.addAgent("strict");
    await stack.proxy.pushConfig({
      agentId: "strict",
      toolPolicy: { mode: ToolPolicy_Mode.LISTED, tools: ["a"] },
    });
    const ran = await valinor(stack.url, ["stream", "strict", "!tool rm {}"]);
    expect(ran).toMatchObject({ code: 1, stdout: "" });
    expect(ran.stderr).toMatch(/tool rm is blocked.*TOOL_BLOCKED/);
  });

  it("gives events as JSON lines, the last one done or error, and attaches after an event", async () => {
    const first = await valinor(stack.url, [
      "stream",
      "demo",
      "!words 3",
      "--request-id",
      "s-1",
      "-o",
      "json",
    ]);
    const events = first.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string });
    expect(events[0]).toMatchObject({ type: "opened", request_id: "s-1", attached: false });
    expect(events.at(-1)).toMatchObject({ type: "done", finish_reason: "stop" });
    const rest = await valinor(stack.url, ["stream", "demo", "--request-id", "s-1", "--after", "1"]);
    expect(rest).toMatchObject({ code: 0, stdout: " word2 word3\n" });
    const failed = await valinor(stack.url, ["stream", "demo", "!fail 500", "-o", "json"]);
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.stdout.trimEnd().split("\n").at(-1) ?? "")).toMatchObject({
      type: "error",
      reason: "AGENT_ERROR",
    });
  });

  it("goes on by itself after a cut, with nothing twice and nothing left out", async () => {
    const proxy = await startCuttingProxy(stack.url);
    const running = startValinor(proxy.url, ["stream", "demo", "!words 30 !pace 20"]);
    running.end();
    await running.shows(/word3 /);
    proxy.cutAll();
    const words = Array.from({ length: 30 }, (_, at) => `word${at + 1}`).join(" ");
    const ran = await running.ended;
    expect(ran).toMatchObject({ code: 0, stdout: `${words}\n` });
    expect(ran.stderr).toContain("going on as soon as possible");
  });

  it("cancels the run at Ctrl-C and ends with 130", async () => {
    const before = stack.model.aborted;
    const running = startValinor(stack.url, ["stream", "demo", "!words 1 !stall 60"]);
    running.end();
    await running.shows(/word1/);
    running.kill("SIGINT");
    expect(await running.ended).toMatchObject({
      code: 130,
      stdout: "word1\n",
      stderr: "valinor: interrupted\n",
    });
    await until("the model is left", () => stack.model.aborted === before + 1);
  });
});

it("a reader that leaves, as head does, ends a stream and its run", async () => {
  const before = stack.model.aborted;
  const bin = join(import.meta.dirname, "../../../../bin/valinor.js");
  const line = `'${process.execPath}' '${bin}' stream demo '!words 2000 !pace 10' | head -c 10; exit "\${PIPESTATUS[0]}"`;
  const running = start("bash", ["-c", line], { VALINOR_SERVER: stack.url });
  running.end();
  expect(await running.ended).toEqual({ code: 141, stdout: "word1 word", stderr: "" });
  await until("the model is left", () => stack.model.aborted === before + 1);
});

describe("valinor chat", () => {
  it("takes each line of a pipe as a message of one conversation", async () => {
    const args = ["chat", "demo", "--conversation", "talk-1"];
    const ran = await valinor(stack.url, args, { input: "!echo one\n\n!echo two\n" });
    expect(ran).toEqual({ code: 0, stdout: "one\ntwo\n", stderr: "" });
    const failed = await valinor(stack.url, args, { input: "!fail 500\n!echo never\n" });
    expect(failed).toMatchObject({ code: 1, stdout: "" });
  });

  it("stops an answer at Ctrl-C, goes on, and ends at Ctrl-D on a terminal", async () => {
    const terminal = onTerminal(stack.url, ["chat", "demo"]);
    await terminal.shows(/Talking to demo.*\n.*> /s);
    terminal.write("!words 1 !stall 60\r");
    await terminal.shows(/[^ ]word1/);
    terminal.write("\u0003");
    await terminal.shows(/\[stopped\]/);
    terminal.write("!echo still here\r");
    await terminal.shows(/\nstill here/);
    terminal.write("\u0004");
    expect((await terminal.ended).code).toBe(0);
  });
});
