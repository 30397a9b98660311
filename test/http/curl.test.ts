import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { fakeCore, fakeRun } from "./fake-core.ts";
import { serveRest } from "./serving.ts";

const run = promisify(execFile);
// Under CI a missing curl fails the tests; elsewhere it skips them.
const hasCurl = process.env["CI"] === "true" || spawnSync("curl", ["--version"]).status === 0;

const options = ["-sS", "--max-time", "20", "-w", "%{http_code} %{http_version}"];

/** What curl prints: the body, and the status and HTTP version behind it. */
async function curl(...args: string[]): Promise<string> {
  const { stdout } = await run("curl", [...options, ...args]);
  return stdout;
}

const versions = [
  ["--http1.1", "1.1"],
  ["--http2-prior-knowledge", "2"],
] as const;

test.skipIf(!hasCurl).each(versions)("curl %s sends a message and reads a stream", async (flag, version) => {
  const core = fakeCore({
    send: (_caller, { message }) =>
      Promise.resolve({
        requestId: "r1",
        content: `you said ${message.content}`,
        finishReason: "stop",
        toolCalls: [],
        resumable: true,
      }),
    stream: () => {
      const stream = fakeRun();
      stream.push({ kind: "text", sequence: 1, text: "hi" });
      stream.push({ kind: "done", sequence: 2, finishReason: "stop" });
      return Promise.resolve(stream);
    },
  });
  const { port } = await serveRest(core);
  const base = `http://127.0.0.1:${port}/agents/a1`;
  expect(await curl(flag, "-d", '{"role":"user","content":"hello"}', `${base}/message`)).toBe(
    `{"content":"you said hello"}\n200 ${version}`,
  );
  const streamed = await curl(
    flag,
    "-N",
    "-G",
    "--data-urlencode",
    'message={"content":"x"}',
    `${base}/stream`,
  );
  expect(streamed).toContain('event: chunk\ndata: {"content":"hi","done":false,"sequence":1}\n\n');
  expect(streamed.endsWith(`event: done\ndata: {}\n\n200 ${version}`)).toBe(true);
});

test.skipIf(!hasCurl).each(versions)("curl %s reads the 413 of a body of 5 MiB", async (flag, version) => {
  const { port } = await serveRest(fakeCore({}));
  const sent = ["-H", "expect:", "--data-binary", "@-", `http://127.0.0.1:${port}/agents/a1/message`];
  const child = run("curl", [...options, flag, ...sent]);
  child.child.stdin?.on("error", () => {});
  child.child.stdin?.end(Buffer.alloc(5 * 1024 * 1024, "x"));
  const { stdout } = await child;
  expect(stdout).toContain("request body too large");
  expect(stdout.endsWith(`413 ${version}`)).toBe(true);
});
