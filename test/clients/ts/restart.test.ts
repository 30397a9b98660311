import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type AgentsView, createValinorClient, type RetryNotice } from "../../../clients/ts/src/index.ts";
import type { ScriptedModel } from "../../../dev/model/scripted-model.ts";
import { upTo } from "../../e2e/collect.ts";
import { tempDir } from "../../helpers/cleanup.ts";
import { startModel } from "../../helpers/model.ts";
import { freePort } from "../../helpers/ports.ts";
import { type Program, spawnValinor, startAgentProcess } from "../../helpers/process.ts";

/** A control plane of its own, which a test may kill. */
let model: ScriptedModel;
let serve: Program;
let start: () => Promise<Program>;
let url: string;

beforeAll(async () => {
  model = await startModel({ wordMs: 10 });
  const [port, dir] = [await freePort(), tempDir()];
  const agent = await startAgentProcess({ openclawUrl: model.url });
  const config = join(dir, "valinor.yaml");
  const agents = `agents:\n  - id: demo\n    address: ${agent.address}\n`;
  writeFileSync(config, `proxy:\n  transport: tcp\nstore:\n  url: sqlite:${dir}/valinor.db\n${agents}`);
  start = async () => {
    const program = spawnValinor(["serve", "--config", config, "--port", String(port)]);
    await program.waitFor(/listening/);
    return program;
  };
  url = `http://127.0.0.1:${port}`;
  serve = await start();
});

describe("a control plane killed and started again", () => {
  it("in the middle of a stream costs its reader nothing", async () => {
    const client = createValinorClient({ baseUrl: url });
    const retries: RetryNotice[] = [];
    const onRetry = (notice: RetryNotice): number => retries.push(notice);
    const sequences: number[] = [];
    let restarted: Promise<Program> | undefined;
    for await (const event of client.stream("demo", "!pace 20 !words 60", {
      onRetry: (n) => void onRetry(n),
    })) {
      if (event.type !== "opened") sequences.push(event.sequence);
      if (sequences.length === 20 && restarted === undefined) {
        serve.kill("SIGKILL");
        restarted = serve.exited.then(start);
      }
    }
    serve = (await restarted) ?? serve;
    expect(sequences).toEqual(upTo(61));
    expect(retries.length).toBeGreaterThan(0);
    expect(model.calls).toBe(1);
  });

  it("is one continuous view to a watcher", async () => {
    const client = createValinorClient({ baseUrl: url });
    const leave = new AbortController();
    const seen: Pick<AgentsView, "live" | "changed" | "removed">[] = [];
    const watching = (async () => {
      for await (const { agents, ...view } of client.watchAgents({ signal: leave.signal })) {
        seen.push(view);
        if (agents.has("late")) leave.abort();
      }
    })();
    await expect.poll(() => seen.length).toBeGreaterThan(0);
    expect(seen[0]).toMatchObject({ live: true, changed: ["demo"] });
    serve.kill("SIGKILL");
    await expect.poll(() => seen.at(-1)?.live).toBe(false);
    await serve.exited;
    serve = await start();
    await client.agents.createAgent({ agent: { id: "late", address: "tcp://127.0.0.1:1" } });
    await expect(watching).rejects.toThrow(/abort/i);
    expect(seen.flatMap(({ removed }) => removed)).toEqual([]);
  }, 30_000);
});
