import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { connectHost } from "./fake-host.ts";
import { type FakeModel, startModel } from "./fake-model.ts";
import { temporaryDir, userSays } from "./setup.ts";

const MAIN = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));

/** The agent as a process of its own. */
function run(...argv: string[]) {
  const code = `import { main } from ${JSON.stringify(MAIN)}; await main(process.argv.slice(1));`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", code, "--", ...argv]);
  onTestFinished(() => void child.kill("SIGKILL"));
  const output = { out: "", err: "" };
  child.stdout.on("data", (bytes: Buffer) => (output.out += bytes.toString()));
  child.stderr.on("data", (bytes: Buffer) => (output.err += bytes.toString()));
  return { child, output };
}

async function exitOf(child: ChildProcess): Promise<number | null> {
  const [code] = (await once(child, "close")) as [number | null];
  return code;
}

/** An agent process that listens, and a host that has been let in with the token `secret`. */
async function listening(model: FakeModel) {
  const tokenFile = join(temporaryDir(), "token");
  writeFileSync(tokenFile, "secret\n");
  const argv = ["--transport", "tcp", "--port", "0", "--openclaw-url", model.url, "--token-file", tokenFile];
  const { child, output } = run(...argv);
  const ended = exitOf(child).then((code) => {
    throw new Error(`the agent ended with ${code}: ${output.err}`);
  });
  const [line] = (await Promise.race([once(createInterface(child.stdout), "line"), ended])) as [string];
  ended.catch(() => {}); // from here on its end is the test's own matter
  const host = await connectHost(line.replace("valinor-agent listening on ", ""));
  onTestFinished(() => host.close());
  await host.link.take();
  await host.greet("secret");
  return { child, output, host, line };
}

describe("the program", () => {
  it("tells one line if it listens, drains on SIGTERM and exits with 0", async () => {
    const model = await startModel();
    onTestFinished(() => model.close());
    const { child, output, host, line } = await listening(model);
    expect(line).toMatch(/^valinor-agent listening on tcp:\/\/127\.0\.0\.1:\d+$/);
    const exchange = host.message(userSays("the text of a message"));
    const call = await model.next();
    await exchange.next("opened");
    const exit = exitOf(child);
    child.kill("SIGTERM");
    await host.status("draining");
    call.text("a");
    call.finish();
    expect((await exchange.rest()).at(-1)?.payload).toMatchObject({ done: true });
    expect(await exit).toBe(0);
    expect(output.out).toBe(`${line}\n`);
    for (const entry of output.err.trim().split("\n")) {
      const { event, level, time } = JSON.parse(entry) as Record<string, string>;
      expect([event, level]).toEqual([expect.any(String), event === "no_state_dir" ? "warn" : "info"]);
      expect(time).toEqual(expect.any(String));
    }
    expect(output.err).not.toMatch(/secret|the text of a message/);
  });

  it("exits at once on a second signal", async () => {
    const model = await startModel();
    onTestFinished(() => model.close());
    const { child, host } = await listening(model);
    host.message(userSays("hi"));
    await model.next();
    const exit = exitOf(child);
    child.kill("SIGINT");
    await host.status("draining");
    child.kill("SIGINT");
    expect(await exit).toBe(130);
  });

  it("prints its help and its version", async () => {
    const help = run("--help");
    expect(await exitOf(help.child)).toBe(0);
    expect(help.output.out).toContain("--openclaw-url");
    const version = run("--version");
    expect(await exitOf(version.child)).toBe(0);
    expect(version.output.out).toMatch(/^\d+\.\d+\.\d+/);
  });

  it.each([
    [["--bogus"], 2, "--bogus"],
    [["--transport", "tcp", "--port", "0", "--host", "0.0.0.0", "--insecure"], 1, "loopback"],
    [["--transport", "tcp", "--port", "0"], 1, "--token-file"],
    [["--transport", "unix"], 2, "--path"],
  ])("says on standard error what is wrong with %j", async (argv, code, told) => {
    const { child, output } = run(...argv);
    expect(await exitOf(child)).toBe(code);
    expect(output.err).toContain(told);
    expect(output.out).toBe("");
  });
});
