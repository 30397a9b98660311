import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../helpers/cleanup.ts";
import { freePort } from "../helpers/ports.ts";
import { type Program, spawnProgram, spawnValinor, startAgentProcess } from "../helpers/process.ts";
import type { TestPostgres } from "../helpers/postgres.ts";
import { sql } from "../helpers/sql.ts";
import { until } from "../helpers/until.ts";

/** A part of the system that can be killed and started again at the same place. */
export interface Part {
  readonly name: string;
  /** Ends it as `kill -9` does; resolves when it is gone. */
  kill(): Promise<void>;
  /** Starts it; resolves when it does its work. */
  start(): Promise<void>;
}

/** A part that is one process. */
export interface ProcessPart extends Part {
  readonly port: number;
  readonly program: Program;
}

/** How long a part may take to start on a machine that does much else, milliseconds. */
const START_MS = 60_000;

async function processPart(name: string, port: number, launch: () => Promise<Program>): Promise<ProcessPart> {
  let program = await launch();
  return {
    name,
    port,
    get program() {
      return program;
    },
    async kill() {
      program.kill("SIGKILL");
      await program.exited;
    },
    async start() {
      program = await launch();
    },
  };
}

/** The fake model, and how often it was called for each request. */
export interface ModelPart extends ProcessPart {
  calls(): ReadonlyMap<string, number>;
}

/** Starts the fake model. */
export async function startModelPart(): Promise<ModelPart> {
  const [port, file] = [await freePort(), join(tempDir(), "calls")];
  writeFileSync(file, "");
  const script = join(import.meta.dirname, "fake-model.ts");
  const part = await processPart("model", port, async () => {
    const program = spawnProgram(process.execPath, [script, String(port), file]);
    await program.waitFor(/listening/, { ms: START_MS });
    return program;
  });
  return Object.assign(part, {
    calls() {
      const counts = new Map<string, number>();
      for (const id of readFileSync(file, "utf8").split("\n"))
        if (id !== "") counts.set(id, (counts.get(id) ?? 0) + 1);
      return counts;
    },
  });
}

/** Starts an agent that keeps its state directory over kills. */
export async function startAgentPart(agentId: string, modelPort: number, args: readonly string[] = []) {
  const [port, stateDir] = [await freePort(), tempDir()];
  const openclawUrl = `http://127.0.0.1:${modelPort}`;
  return processPart("agent", port, () => startAgentProcess({ openclawUrl, agentId, port, stateDir, args }));
}

/** Starts a control plane with agents at ports of 127.0.0.1, by id. */
export async function startServePart(
  storeUrl: string,
  agents: ReadonlyMap<string, number>,
  server: string,
): Promise<ProcessPart> {
  const [port, file] = [await freePort(), join(tempDir(), "valinor.yaml")];
  const lines = [...agents].map(([id, at]) => `  - { id: ${id}, address: "tcp://127.0.0.1:${at}" }\n`);
  writeFileSync(
    file,
    `server: { port: ${port}, ${server} }\nstore: { url: "${storeUrl}" }\nproxy: { ping_timeout: 2 }\nagents:\n${lines.join("")}`,
  );
  return processPart("control plane", port, async () => {
    // One that starts while the database is away ends with 1, and its supervisor starts it again.
    const end = performance.now() + START_MS;
    for (;;) {
      const program = spawnValinor(["serve", "--config", file]);
      const up = await program.waitFor(/"msg":"listening"/, { ms: START_MS }).then(
        () => true,
        (error: unknown) => {
          if (performance.now() > end) throw error;
          return false;
        },
      );
      if (up) return program;
      program.kill("SIGKILL");
      await program.exited;
    }
  });
}

/** The database as a part. */
export async function databasePart(postgres: TestPostgres): Promise<Part> {
  const { rows } = await sql(postgres.url("postgres"), "show data_directory");
  const pidFile = join(String(rows[0]?.["data_directory"]), "postmaster.pid");
  return {
    name: "database",
    async kill() {
      const pid = Number(readFileSync(pidFile, "utf8").split("\n", 1)[0]);
      process.kill(pid, "SIGKILL");
      await until("the database's process is gone", () => !isAlive(pid), START_MS);
    },
    // Its other processes end a moment after the first, and until then the memory that they share is taken.
    start: () =>
      until(
        "the database runs again",
        () => {
          postgres.start();
          return true;
        },
        START_MS,
      ).then(() => undefined),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  // One that is dead and was not waited for is there still.
  return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
}
