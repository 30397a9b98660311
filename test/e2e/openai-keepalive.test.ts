import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import OpenAI from "openai";
import { beforeAll, describe, expect, it } from "vitest";
import { tempDir } from "../helpers/cleanup.ts";
import { spawnProgram } from "../helpers/process.ts";
import { PYTHON_MS, pythonOrReason } from "../helpers/python.ts";
import { type EdgeServer, startEdgeServer } from "../http/edge-server.ts";
import { reasonToSkipGo } from "./go/client.ts";

const run = promisify(execFile);
let server: EdgeServer;

beforeAll(async () => {
  server = await startEdgeServer();
});

/** A run that is silent at its beginning, between its words and before its end, alone and beside other events. */
function scriptSilences(): void {
  const answer = server.nextRun();
  const keepalive = { kind: "keepalive" } as const;
  answer.push(keepalive);
  answer.push({ kind: "text", sequence: 1, text: "one " });
  answer.push(keepalive, keepalive);
  answer.push(keepalive, { kind: "text", sequence: 2, text: "two" }, keepalive);
  answer.push(keepalive);
  answer.push({ kind: "done", sequence: 3, finishReason: "stop" });
}

const baseURL = () => `http://127.0.0.1:${server.port}/v1`;

describe("a stream that was silent for a while", () => {
  it("is read to its end by the official client for JavaScript", async () => {
    scriptSilences();
    const client = new OpenAI({ baseURL: baseURL(), apiKey: "none", maxRetries: 0 });
    const stream = await client.chat.completions.create({
      model: "a1",
      stream: true,
      messages: [{ role: "user", content: "hello" }],
    });
    let text = "";
    for await (const { choices } of stream) text += choices[0]?.delta.content ?? "";
    expect(text).toBe("one two");
  });

  it.skipIf(reasonToSkipGo() !== undefined)(
    "is read to its end by the official client for Go",
    async () => {
      scriptSilences();
      const binary = join(tempDir(), "openai-go");
      const build = spawnProgram("go", ["build", "-o", binary, "."], {
        cwd: join(import.meta.dirname, "openai-go"),
      });
      const { code } = await build.exited;
      expect([code, build.stderr()]).toMatchObject([0, expect.any(String)]);
      expect((await run(binary, ["-url", baseURL()])).stdout).toBe("one two");
    },
    300_000,
  );

  it(
    "is read to its end by the official client for Python",
    async ({ skip }) => {
      const { python, skip: reason } = await pythonOrReason();
      skip(reason !== undefined, reason);
      scriptSilences();
      const script = join(import.meta.dirname, "python/openai_stream.py");
      expect((await run(python, [script, baseURL()])).stdout).toBe("one two");
    },
    PYTHON_MS,
  );
});
