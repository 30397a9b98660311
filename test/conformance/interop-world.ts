import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ScriptedModel } from "../../dev/model/scripted-model.ts";
import { makeCertificate } from "../helpers/certificate.ts";
import { tempDir } from "../helpers/cleanup.ts";
import { startModel } from "../helpers/model.ts";
import { freePort } from "../helpers/ports.ts";
import { type Program, spawnValinor, startAgentProcess } from "../helpers/process.ts";
import type { Target } from "./interop-calls.ts";

const bin = join(import.meta.dirname, "../../bin/valinor.js");

/** A `valinor serve` with API keys, a `valinor-agent` named `demo`, and a scripted model that counts its calls. */
export interface InteropWorld {
  readonly target: Target;
  readonly model: ScriptedModel;
  /** Sends SIGTERM to the server; resolves with its exit code when it has ended. */
  readonly stop: () => Promise<number | null>;
  /** Starts the server again, on the same port and over the same store. */
  readonly restart: () => Promise<void>;
}

/** Seconds that calls have to end when the server stops. */
const DRAIN_SECONDS = 1;

/** Starts all of it; it ends after the last test of the file. */
export async function startInteropWorld(tls: boolean): Promise<InteropWorld> {
  const model = await startModel();
  const agent = await startAgentProcess({ openclawUrl: model.url });
  const [port, dir] = [await freePort(), tempDir()];
  const certificate = tls ? makeCertificate() : undefined;
  const config = join(dir, "valinor.yaml");
  const settings = {
    server: {
      port,
      drain_seconds: DRAIN_SECONDS,
      ...(certificate && { tls_cert_file: certificate.certFile, tls_key_file: certificate.keyFile }),
    },
    store: { url: `sqlite:${join(dir, "valinor.db")}` },
    auth: { api_keys: true },
    agents: [{ id: "demo", tenant: "acme", address: agent.address }],
  };
  writeFileSync(config, JSON.stringify(settings)); // JSON is YAML
  let program = await startServe(config);
  const create = ["keys", "create", "--config", config, "--tenant", "acme", "--subject", "interop"];
  const { stdout } = await promisify(execFile)(process.execPath, [bin, ...create, "--role", "operator"]);
  const token = /vlr_\w+/.exec(stdout)?.[0] ?? "";
  return {
    target: { target: `127.0.0.1:${port}`, ca: certificate?.certFile, token },
    model,
    async stop() {
      program.kill("SIGTERM");
      return (await program.exited).code;
    },
    async restart() {
      program = await startServe(config);
    },
  };
}

async function startServe(config: string): Promise<Program> {
  const program = spawnValinor(["serve", "--config", config]);
  await program.waitFor(/"msg":"listening"/, { ms: 60_000 });
  return program;
}
