import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { AgentStatus } from "../../gen/ts/valinor/v1/types_pb.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { PYTHON_MS, pythonOrReason } from "../helpers/python.ts";
import { upTo } from "./collect.ts";
import { startStack } from "./stack.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const { python, skip } = await pythonOrReason();

/** One event of a stream, as the script tells it. */
interface Told {
  readonly kind: string;
  readonly sequence: number;
  readonly text: string;
}

/** What came of each scenario of the script. */
interface Outcomes {
  readonly send: unknown;
  readonly stream: { readonly first: readonly Told[]; readonly rest: readonly Told[] };
  readonly "unknown agent": unknown;
  readonly "stopped agent": unknown;
  readonly "failed run": unknown;
  readonly watch: unknown;
}

let outcomes: Outcomes;

/** Generates the stubs as docs/clients.md says; google/rpc comes with googleapis-common-protos. */
async function generateStubs(): Promise<string> {
  const out = tempDir();
  const roots = ["proto", "third_party/proto"];
  const files = ["proto/valinor/v1/*.proto", "third_party/proto/buf/validate/*.proto"];
  const args = ["-m", "grpc_tools.protoc", ...roots.map((path) => `-I${path}`)];
  args.push(`--python_out=${out}`, `--grpc_python_out=${out}`, ...globSync(files, { cwd: root }));
  await run(python, args, { cwd: root, timeout: 60_000 });
  return out;
}

describe.skipIf(skip !== undefined)(
  `a Python client with generated stubs${skip === undefined ? "" : ` (skipped: ${skip})`}`,
  () => {
    beforeAll(async () => {
      const [stubs, stack] = await Promise.all([generateStubs(), startStack()]);
      await stack.registry.createAgent({
        agent: { id: "stopped", address: "tcp://127.0.0.1:2", status: AgentStatus.STOPPED },
      });
      const args = [join(import.meta.dirname, "python/client.py"), stubs, new URL(stack.url).host];
      const { stdout } = await run(python, args, { timeout: 120_000 });
      outcomes = JSON.parse(stdout) as Outcomes;
    }, PYTHON_MS);

    it("sends a message", () => {
      expect(outcomes.send).toEqual({ content: "word1 word2 word3", finish_reason: "stop" });
    });

    it("streams, and resumes where it stopped", () => {
      const { first, rest } = outcomes.stream;
      expect([first[0]?.kind, rest[0]?.kind]).toEqual(["opened", "opened"]);
      const events = [...first.slice(1), ...rest.slice(1)];
      expect(events.map(({ sequence }) => sequence)).toEqual(upTo(9));
      expect(events.map(({ text }) => text).join("")).toBe("word1 word2 word3 word4 word5 word6 word7 word8");
      expect(events.at(-1)?.kind).toBe("done");
    });

    it("reads code, reason, metadata and retry delay of errors", () => {
      const domain = "valinor.dev";
      expect(outcomes["unknown agent"]).toMatchObject({
        code: "NOT_FOUND",
        reason: "AGENT_NOT_FOUND",
        domain,
        metadata: { agent_id: "nobody" },
      });
      const retry = { code: "UNAVAILABLE", reason: "AGENT_NOT_RUNNING", domain, retry_seconds: 5 };
      expect(outcomes["stopped agent"]).toMatchObject(retry);
    });

    it("reads at which event a failed run ended", () => {
      expect(outcomes["failed run"]).toMatchObject({
        code: "INTERNAL",
        reason: "AGENT_ERROR",
        metadata: { code: "openclaw_error", sequence: "1" },
      });
    });

    it("watches agents: all of them, and then changes", () => {
      expect(outcomes.watch).toEqual({ snapshot: ["demo", "stopped"], later: ["from-python"] });
    });
  },
);
